//! Three functions as a program. The first argument names the function, standard input
//! has its parameters as one JSON object, and the result is written to standard output.

use std::io::{stdin, stdout};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct CalculateFibonacci {
    n: u32,
}

#[derive(Deserialize)]
struct Greet {
    name: String,
}

#[derive(Deserialize)]
struct Summarize {
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Summary {
    count: usize,
    mean: f64,
    min: f64,
    max: f64,
}

fn main() -> ExitCode {
    let function = std::env::args().nth(1).unwrap_or_default();
    match call(&function) {
        Ok(()) => ExitCode::SUCCESS,
        // Standard error is the execution's log; it says why the execution failed.
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn call(function: &str) -> Result<(), String> {
    match function {
        "calculate-fibonacci" => answer(calculate_fibonacci(parameters()?)?),
        "greet" => answer(greet(parameters()?)),
        "summarize" => answer(summarize(parameters()?)?),
        _ => Err(format!("there is no function {function:?}")),
    }
}

fn parameters<T: for<'de> Deserialize<'de>>() -> Result<T, String> {
    serde_json::from_reader(stdin().lock()).map_err(|error| format!("wrong parameters: {error}"))
}

fn answer(result: impl Serialize) -> Result<(), String> {
    serde_json::to_writer(stdout().lock(), &result).map_err(|error| error.to_string())
}

fn calculate_fibonacci(CalculateFibonacci { n }: CalculateFibonacci) -> Result<u64, String> {
    let (mut previous, mut current) = (1_u64, 0_u64);
    for _ in 0..n {
        let next = previous.checked_add(current);
        let next = next.ok_or_else(|| format!("F({n}) does not fit 64 bits; F(93) is the last that does"))?;
        (previous, current) = (current, next);
    }
    Ok(current)
}

fn greet(Greet { name }: Greet) -> String {
    eprintln!("greeting {name}");
    format!("Hello, {name}!")
}

fn summarize(Summarize { values }: Summarize) -> Result<Summary, String> {
    if values.is_empty() {
        return Err("no values".into());
    }
    Ok(Summary {
        count: values.len(),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
