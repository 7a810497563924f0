//! density: the host's resident memory for each idle registered task, and for each
//! instance that sleeps after it has written 1 MiB of its memory.
//!
//! Each round starts a new host. Before its resident memory is first read, the host has
//! answered so many calls that it keeps as many records of calls as it ever does.

use crate::client::load::Loop;
use crate::client::tasks::{IN_FLIGHT, register};
use crate::client::wire::{Function, connect, invoke, started};
use crate::guests::{COMPONENT, Variants};
use crate::measure::{Figure, Plan, block_on};
use crate::results::target::within;
use crate::server::{Server, Setup};
use anyhow::{Context, Result};
use pilum_proto::spearlet::ExecutionMode;
use std::path::Path;
use std::time::Duration;

/// Calls before the memory is first read: more than the host keeps records of.
const WARM_UP: usize = 20_000;
/// Tasks that share their code.
const SAME: usize = 10_000;
/// Tasks that each have different code.
const DISTINCT: usize = 200;
/// Instances that sleep.
const SLEEPING: usize = 200;
/// More than enough for guests to reach their sleep.
const SETTLE: Duration = Duration::from_millis(500);
const SETTINGS: &[(&str, &str)] = &[("PILUM_ASYNC_EXECUTION__MAX_CONCURRENT_EXECUTIONS", "256")];

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let mut figures = vec![same(plan).await?];
        figures.extend(distinct(plan).await?);
        figures.push(sleeping(plan).await?);
        Ok(figures)
    })
}

async fn same(plan: Plan) -> Result<Figure> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (host, load) = warm_host(&Setup::default()).await?;
        let before = host.resident_kib()?;
        register(&load, &Function::add()?, 0..SAME).await?;
        rounds.push((host.resident_kib()? - before) / SAME as f64);
    }
    Ok(Figure::alone("density, task of known code", "KiB", &[within(64.0)], &rounds))
}

/// The control is the size of the native code's file, whose pages are resident after
/// they have run.
async fn distinct(plan: Plan) -> Result<Vec<Figure>> {
    let mut variants = Variants::of(COMPONENT)?;
    let mut requests = Vec::with_capacity(DISTINCT);
    for number in 0..DISTINCT {
        let function = Function::fibonacci(variants.next()?.0);
        requests.push(function.new_task(&format!("distinct-{number}"), ExecutionMode::Sync));
    }
    // All rounds share native code. Only the first round compiles, in child processes.
    let data = tempfile::tempdir()?;
    let setup = Setup { root: Some(variants.root()), data: Some(data.path()), ..Setup::default() };
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (host, load) = warm_host(&setup).await?;
        let before = host.resident_kib()?;
        let calls = load.each(0..DISTINCT, async |client, number| {
            invoke(client, requests.get(number).context("no request for this task")?).await.map(drop)
        });
        calls.await?;
        let resident = (host.resident_kib()? - before) / DISTINCT as f64;
        rounds.push((resident, largest_native_kib(&data.path().join("native"))?));
    }
    Ok(vec![Figure::beside("density, task of its own code, beside that code's file", "KiB", &[], &rounds)])
}

async fn sleeping(plan: Plan) -> Result<Figure> {
    let sleeper = Function::command("bench_sleeper.wasm")?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (host, load) = warm_host(&Setup { settings: SETTINGS, ..Setup::default() }).await?;
        let mut client = connect(&host.grpc).await?;
        // The first instance loads the code.
        started(&mut client, &sleeper, "sleeper").await?;
        settle().await;
        let before = host.resident_kib()?;
        load.each(0..SLEEPING, async |client, _| started(client, &sleeper, "sleeper").await).await?;
        settle().await;
        rounds.push((host.resident_kib()? - before) / 1024.0 / SLEEPING as f64);
    }
    Ok(Figure::alone("density, sleeping instance of 1 MiB", "MiB", &[within(1.25)], &rounds))
}

async fn warm_host(setup: &Setup<'_>) -> Result<(Server, Loop)> {
    let host = Server::host_with(setup)?;
    let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
    let request = Function::add()?.registered(&mut connect(&host.grpc).await?, "warm-up").await?;
    load.each(0..WARM_UP, async |client, _| invoke(client, &request).await.map(drop)).await?;
    Ok((host, load))
}

/// Waits until the guests sleep. An execution is RUNNING when it starts; its guest
/// writes its memory and falls asleep some milliseconds later.
async fn settle() {
    tokio::time::sleep(SETTLE).await;
}

/// The size of the largest file in `directory`. The files of the copies are the
/// largest, and all have the same size.
fn largest_native_kib(directory: &Path) -> Result<f64> {
    let mut largest = 0;
    for entry in std::fs::read_dir(directory)? {
        largest = largest.max(entry?.metadata()?.len());
    }
    Ok(largest as f64 / 1024.0)
}
