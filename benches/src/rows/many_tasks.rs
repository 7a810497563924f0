//! many_tasks: the loaded half of grpc_sync spread over many tasks, against the
//! same calls of one task, on the same host.

use crate::load::Loop;
use crate::measure::{Figure, Plan, alternate};
use crate::server::Server;
use crate::target::at_least;
use crate::tasks::{IN_FLIGHT, register};
use crate::wire::{Function, invoke};
use anyhow::{Context, Result};
use std::time::Duration;

/// Well within the default of `limits.max_tasks`.
const TASKS: usize = 10_000;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let host = Server::host()?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        let requests = register(&load, &Function::add()?, 0..TASKS).await?;
        // Call after call goes to the task after the one before.
        let spread_over = async |tasks: usize| {
            let calls = load.run(Duration::from_secs_f64(plan.seconds), async |client, number| {
                let request = requests.get(number % tasks).context("one request a task")?;
                invoke(client, request).await.map(drop)
            });
            Ok(calls.await?.calls_per_s)
        };
        let rounds =
            alternate(plan, async || spread_over(TASKS).await, async || spread_over(1).await).await?;
        Ok(vec![Figure::beside("many_tasks 10,000 against 1", "calls/s", &[at_least(0.9)], &rounds)])
    })
}
