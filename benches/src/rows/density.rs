//! density: resident memory of the host for each idle registered task, and for
//! each instance that sleeps with 1 MiB of its memory touched.
//!
//! Each round is a host of its own. Before its resident memory is first looked
//! at it has answered so many calls that what it keeps of calls is full.

use crate::guests::{COMPONENT, Variants};
use crate::load::Loop;
use crate::measure::{Figure, Plan};
use crate::server::{Server, Setup};
use crate::target::within;
use crate::tasks::{IN_FLIGHT, register};
use crate::wire::{Function, connect, invoke, started};
use anyhow::{Context, Result};
use pilum_proto::spearlet::ExecutionMode;
use std::path::Path;

/// Calls before the first look: more than the host keeps records of.
const WARM_UP: usize = 20_000;
/// Tasks that share their code.
const SAME: usize = 10_000;
/// Tasks with code of their own.
const DISTINCT: usize = 200;
/// Instances that sleep.
const SLEEPING: usize = 200;
const SETTINGS: &[(&str, &str)] = &[("PILUM_ASYNC_EXECUTION__MAX_CONCURRENT_EXECUTIONS", "256")];

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
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

/// With the size of its native code beside it, which is resident where it has been run.
async fn distinct(plan: Plan) -> Result<Vec<Figure>> {
    let mut variants = Variants::of(COMPONENT)?;
    let mut requests = Vec::with_capacity(DISTINCT);
    for number in 0..DISTINCT {
        let function = Function::fibonacci(variants.next()?.0);
        requests.push(function.new_task(&format!("distinct-{number}"), ExecutionMode::Sync));
    }
    // All rounds share native code: only the first compiles, in children.
    let data = tempfile::tempdir()?;
    let setup = Setup { root: Some(variants.root()), data: Some(data.path()), ..Setup::default() };
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (host, load) = warm_host(&setup).await?;
        let before = host.resident_kib()?;
        let calls = load.each(0..DISTINCT, async |client, number| {
            invoke(client, requests.get(number).context("one request a task")?).await.map(drop)
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
        // The first brings the code with it.
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

/// RUNNING is told when an execution starts; its guest touches its memory and
/// falls asleep some milliseconds later.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
}

/// Of the files below `directory`: the copies' are the largest, and all alike.
fn largest_native_kib(directory: &Path) -> Result<f64> {
    let mut largest = 0;
    for entry in std::fs::read_dir(directory)? {
        largest = largest.max(entry?.metadata()?.len());
    }
    Ok(largest as f64 / 1024.0)
}
