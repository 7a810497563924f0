//! cancel: the time from CancelExecution with `force` until the answer says that the
//! execution is CANCELLED. The control is the round trip of GetExecutionStatus to an
//! idle host.
//!
//! A round has 200 of each, so its 99th percentile is the second highest value.

use crate::client::wire::{Client, Function, cancel, connect, started, status};
use crate::measure::{Figure, Plan, block_on, percentile};
use crate::results::target::at_most_added;
use crate::server::Server;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Cancellations in a round; also the round trips in a round.
const SAMPLES: usize = 200;
/// An execution is RUNNING when it starts; after this time its guest is in the loop or
/// in the host call.
const UNDER_WAY: Duration = Duration::from_millis(3);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let mut client = connect(&host.grpc).await?;
        let mut figures = Vec::new();
        for (kind, guest) in [("a loop", "hostile_spin.wasm"), ("a host call", "hostile_sleep.wasm")] {
            let function = Function::command(guest)?;
            let task = guest.trim_end_matches(".wasm");
            let mut rounds = Vec::new();
            for _ in 0..plan.rounds {
                let ours = cancelled_p99_ms(&mut client, &function, task).await?;
                rounds.push((ours, round_trip_p99_ms(&mut client).await?));
            }
            let name = format!("cancel in {kind}, p99");
            figures.push(Figure::beside(name, "ms", &[at_most_added(3.0)], &rounds));
        }
        Ok(figures)
    })
}

async fn cancelled_p99_ms(client: &mut Client, function: &Function, task: &str) -> Result<f64> {
    let mut latencies_ms = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let id = started(client, function, task).await?;
        tokio::time::sleep(UNDER_WAY).await;
        let asked = Instant::now();
        // The answer comes when the execution has ended.
        cancel(client, id).await?;
        latencies_ms.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut latencies_ms, 0.99))
}

async fn round_trip_p99_ms(client: &mut Client) -> Result<f64> {
    let mut latencies_ms = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let asked = Instant::now();
        ensure!(!status(client, "no-such-execution").await?.found, "an unknown execution was found");
        latencies_ms.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut latencies_ms, 0.99))
}
