//! Three functions behind HTTP routes, and one that streams.
//!
//! - `GET /calculate-fibonacci?n=10`
//! - `GET /greet?name=Ada`
//! - `POST /summarize` with a JSON list of numbers
//! - `POST /echo` sends the body back while it arrives

mod http;

use serde::Serialize;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use http::Refusal;

struct Functions;

wasip2::http::proxy::export!(Functions);

impl Guest for Functions {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        // Standard error is the execution's log.
        eprintln!("{:?} {target}", request.method());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let answer = match (request.method(), path) {
            (Method::Post, "/echo") => return http::echo(&request, response),
            (Method::Get, "/calculate-fibonacci") => calculate_fibonacci(query),
            (Method::Get, "/greet") => greet(query),
            (Method::Post, "/summarize") => summarize(&request),
            (_, "/echo" | "/calculate-fibonacci" | "/greet" | "/summarize") => {
                Err(Refusal(405, "this path wants another method".into()))
            }
            _ => Err(Refusal(404, format!("there is no {path}"))),
        };
        http::send(response, answer);
    }
}

fn calculate_fibonacci(query: &str) -> Result<String, Refusal> {
    let n: u32 = http::parameter(query, "n")?
        .parse()
        .map_err(|_| Refusal(400, "n must be a whole number from 0 to 4294967295".into()))?;
    let (mut previous, mut current) = (1_u64, 0_u64);
    for _ in 0..n {
        let next = previous.checked_add(current).ok_or_else(|| {
            Refusal(422, format!("F({n}) does not fit 64 bits; F(93) is the last that does"))
        })?;
        (previous, current) = (current, next);
    }
    Ok(current.to_string())
}

fn greet(query: &str) -> Result<String, Refusal> {
    http::json(&format!("Hello, {}!", http::parameter(query, "name")?))
}

#[derive(Serialize)]
struct Summary {
    count: usize,
    mean: f64,
    min: f64,
    max: f64,
}

fn summarize(request: &IncomingRequest) -> Result<String, Refusal> {
    let values: Vec<f64> = serde_json::from_slice(&http::body(request)?)
        .map_err(|error| Refusal(400, format!("the body must be a JSON list of numbers: {error}")))?;
    if values.is_empty() {
        return Err(Refusal(422, "no values".into()));
    }
    http::json(&Summary {
        count: values.len(),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
