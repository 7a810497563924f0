//! Finds the keywords of an English text, as a command.
//!
//! A command gets its parameters as one JSON object on standard input and writes its
//! result to standard output:
//!
//! - in: `{"text": "…", "limit": 10}`; `limit` is optional.
//! - out: `{"keywords":[{"word":"river","score":6.2,"count":9}],"words":712}`
//!
//! Exit code 2, with a message on standard error, means that the parameters were
//! wrong; 1 that reading or writing failed. [`keywords`] describes the ranking.

mod keywords;
mod stop_words;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde::Deserialize;

/// The highest `limit`: a longer list would not be one of keywords.
const LIMIT_MAX: u32 = 1000;
const LIMIT_DEFAULT: f64 = 10.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    text: String,
    /// JSON has only one kind of number, so 10 may arrive as 10.0.
    #[serde(default = "limit_default")]
    limit: f64,
}

fn limit_default() -> f64 {
    LIMIT_DEFAULT
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Parameters(message)) => {
            eprintln!("extract-keywords: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Io(error)) => {
            eprintln!("extract-keywords: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Parameters(String),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

fn run() -> Result<(), Failure> {
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let parameters: Parameters = serde_json::from_slice(&input)
        .map_err(|error| Failure::Parameters(format!("the parameters are not as expected: {error}")))?;
    let limit = limit(parameters.limit)?;

    let report = keywords::extract(&parameters.text, limit);
    let mut output = serde_json::to_vec(&report).map_err(io::Error::from)?;
    output.push(b'\n');
    io::stdout().lock().write_all(&output)?;
    Ok(())
}

fn limit(limit: f64) -> Result<usize, Failure> {
    if limit.fract() == 0.0 && (1.0..=f64::from(LIMIT_MAX)).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(Failure::Parameters(format!("limit must be a whole number from 1 to {LIMIT_MAX}, not {limit}")))
}
