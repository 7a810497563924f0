//! compile_storm: how long a call of `add` takes while other clients register large
//! components which the host has never compiled. The control is the same call alone,
//! for the same time.
//!
//! The components are copies of the largest component that `make guests` builds,
//! 201 KB, each with its own digest. One caller sends at most 500 calls per second, one
//! at a time. Compiling takes seconds, so a round has some hundreds of calls.

use crate::client::load::{Loop, paced};
use crate::client::wire::{Client, Function, connect, invoke};
use crate::guests::{LARGE_COMPONENT, Variants};
use crate::measure::{Figure, Plan, block_on, percentile};
use crate::results::target::at_most;
use crate::server::{Server, Setup};
use anyhow::{Context, Result};
use pilum_proto::spearlet::{ExecutionMode, InvokeFunctionRequest};
use std::time::{Duration, Instant};

/// Components registered at once.
const STORM: usize = 20;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let mut variants = Variants::of(LARGE_COMPONENT)?;
        let host = Server::host_with(&Setup { root: Some(variants.root()), ..Setup::default() })?;
        let mut client = connect(&host.grpc).await?;
        let request = Function::add()?.registered(&mut client, "add").await?;
        let others = Loop::connect(&host.grpc, STORM).await?;
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            let storm = storm_of(&mut variants, round)?;
            let register = async {
                let began = Instant::now();
                let all = others.each(0..STORM, async |client, number| {
                    let request = storm.get(number).context("no request for this component")?;
                    invoke(client, request).await.map(drop)
                });
                all.await.map(|_| began.elapsed())
            };
            let (stormy, lasted) = p99_us(&mut client, &request, register).await?;
            let rest = async {
                tokio::time::sleep(lasted).await;
                Ok(lasted)
            };
            let (calm, _) = p99_us(&mut client, &request, rest).await?;
            rounds.push((stormy, calm));
        }
        let name = format!("compile_storm, p99 beside {STORM} first compiles of 201 KB");
        Ok(vec![Figure::beside(name, "µs", &[at_most(2.0)], &rounds)])
    })
}

/// [`STORM`] calls, each of which registers a new component.
fn storm_of(variants: &mut Variants, round: u32) -> Result<Vec<InvokeFunctionRequest>> {
    let mut requests = Vec::with_capacity(STORM);
    for number in 0..STORM {
        let function = Function::keywords(variants.next()?.0);
        requests.push(function.new_task(&format!("storm-{round}-{number}"), ExecutionMode::Sync));
    }
    Ok(requests)
}

async fn p99_us(
    client: &mut Client,
    request: &InvokeFunctionRequest,
    work: impl Future<Output = Result<Duration>>,
) -> Result<(f64, Duration)> {
    let (mut latencies_us, lasted) = paced(async || invoke(client, request).await.map(drop), work).await?;
    Ok((percentile(&mut latencies_us, 0.99), lasted))
}
