//! many_tasks: the calls of grpc_sync under load, spread over many tasks. The control
//! is the same calls of one task on the same host.

use crate::client::load::Loop;
use crate::client::tasks::{IN_FLIGHT, register};
use crate::client::wire::{Function, invoke};
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::at_least;
use crate::server::Server;
use anyhow::{Context, Result};
use std::time::Duration;

/// Fewer than the default of `limits.max_tasks`.
const TASKS: usize = 10_000;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        let requests = register(&load, &Function::add()?, 0..TASKS).await?;
        // Each call goes to the task after that of the call before.
        let spread_over = async |tasks: usize| {
            let calls = load.run(Duration::from_secs_f64(plan.seconds), async |client, number| {
                let request = requests.get(number % tasks).context("no request for this task")?;
                invoke(client, request).await.map(drop)
            });
            Ok(calls.await?.calls_per_s)
        };
        let rounds =
            alternate(plan, async || spread_over(TASKS).await, async || spread_over(1).await).await?;
        Ok(vec![Figure::beside("many_tasks 10,000 against 1", "calls/s", &[at_least(0.9)], &rounds)])
    })
}
