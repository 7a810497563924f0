//! Statistics of a table of sales, as a command.
//!
//! The parameters are one JSON object on standard input:
//! `{"csv": "…", "resamples": 200}`; `resamples` is optional. The report is written to
//! standard output as JSON, progress to standard error. Exit code 2 means that the
//! parameters or the table were wrong, 1 that reading or writing failed.

mod analysis;
mod bootstrap;
mod statistics;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde::Deserialize;

const RESAMPLES_DEFAULT: f64 = 200.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    csv: String,
    /// JSON has only one kind of number, so 200 may arrive as 200.0.
    #[serde(default = "resamples_default")]
    resamples: f64,
}

fn resamples_default() -> f64 {
    RESAMPLES_DEFAULT
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Parameters(message)) => {
            eprintln!("analyze-dataset: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Io(error)) => {
            eprintln!("analyze-dataset: {error}");
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
    let report =
        analysis::analyze(&parameters.csv, resamples(parameters.resamples)?, |line| eprintln!("{line}"))
            .map_err(|error| Failure::Parameters(error.to_string()))?;

    let mut output = serde_json::to_vec(&report).map_err(io::Error::from)?;
    output.push(b'\n');
    io::stdout().lock().write_all(&output)?;
    Ok(())
}

fn resamples(resamples: f64) -> Result<u32, Failure> {
    if resamples.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&resamples) {
        return Ok(resamples as u32);
    }
    Err(Failure::Parameters(format!("resamples must be a whole number, not {resamples}")))
}
