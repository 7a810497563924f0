//! cold_host: the time from the start of the process until the host is ready: with
//! 1,000 registered tasks, against a host without tasks; and with a million executions
//! in the queue, without a control.

use crate::client::load::Loop;
use crate::client::tasks::{IN_FLIGHT, register};
use crate::client::wire::{Function, invoke, later};
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::{at_most, within};
use crate::server::{Server, Setup};
use crate::store_file::multiply;
use anyhow::{Context, Result};
use pilum_proto::spearlet::ExecutionMode;
use std::path::Path;
use std::time::Instant;

const TASKS: usize = 1_000;
const WAITING: usize = 1_000_000;
const START_MAX_MS: f64 = 500.0;
const REPLAY_MAX_MS: f64 = 5_000.0;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let (full, empty, waiting) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
        {
            let host = start(full.path())?;
            let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
            register(&load, &Function::add()?, 0..TASKS).await?;
        }
        drop(start(empty.path())?);
        let id = {
            let host = start(waiting.path())?;
            let load = Loop::connect(&host.grpc, 1).await?;
            let request = later(&Function::add()?.new_task("waiting", ExecutionMode::Async));
            let answers = load.each(0..1, async |client, _| invoke(client, &request).await).await?;
            answers.into_iter().next().context("no answer")?.execution_id
        };
        multiply(waiting.path(), &id, WAITING)?;
        // The first start completes the rows that SQL alone has written, so it is not measured.
        start_ms(waiting.path())?;
        let tasks = alternate(plan, async || start_ms(full.path()), async || start_ms(empty.path())).await?;
        let mut replays = Vec::new();
        for _ in 0..plan.rounds {
            replays.push(start_ms(waiting.path())?);
        }
        Ok(vec![
            Figure::beside("cold_host, 1,000 tasks", "ms", &[at_most(2.0), within(START_MAX_MS)], &tasks),
            Figure::alone(
                "cold_host, 1,000,000 executions that wait",
                "ms",
                &[within(REPLAY_MAX_MS)],
                &replays,
            ),
        ])
    })
}

fn start(data: &Path) -> Result<Server> {
    Server::host_with(&Setup { data: Some(data), ..Setup::default() })
}

/// How long a host takes to be ready. The host is killed, so the next start recovers
/// its data.
fn start_ms(data: &Path) -> Result<f64> {
    let began = Instant::now();
    let host = start(data)?;
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    drop(host);
    Ok(took_ms)
}
