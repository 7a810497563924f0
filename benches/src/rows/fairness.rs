//! fairness: how long a call of `add` takes while endless loops run. The control is
//! the same call alone.
//!
//! One caller sends at most 500 calls per second, one at a time, so a round has some
//! hundreds of calls.

use crate::client::load::paced;
use crate::client::wire::{Client, Function, cancel, connect, invoke, started};
use crate::measure::{Figure, Plan, block_on, percentile};
use crate::results::target::within;
use crate::server::{Server, Setup};
use anyhow::Result;
use pilum_proto::spearlet::InvokeFunctionRequest;
use std::time::Duration;

/// Endless loops for each core.
const LOOPS_PER_CORE: usize = 2;
/// The shortest round: with fewer calls the 99th percentile would say little.
const ROUND_MIN: Duration = Duration::from_secs(1);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let loops = LOOPS_PER_CORE * std::thread::available_parallelism()?.get();
        let setting = ("PILUM_ASYNC_EXECUTION__MAX_CONCURRENT_EXECUTIONS", loops.to_string());
        let host = Server::host_with(&Setup { settings: &[(setting.0, &setting.1)], ..Setup::default() })?;
        let mut client = connect(&host.grpc).await?;
        let spin = Function::command("hostile_spin.wasm")?;
        let request = Function::add()?.registered(&mut client, "add").await?;
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let alone = p99_ms(&mut client, &request, plan).await?;
            let mut running = Vec::new();
            for _ in 0..loops {
                running.push(started(&mut client, &spin, "spin").await?);
            }
            let loaded = p99_ms(&mut client, &request, plan).await?;
            for id in running {
                cancel(&mut client, id).await?;
            }
            rounds.push((loaded, alone));
        }
        let name = format!("fairness, p99 beside {loops} endless loops");
        Ok(vec![Figure::beside(name, "ms", &[within(10.0)], &rounds)])
    })
}

async fn p99_ms(client: &mut Client, request: &InvokeFunctionRequest, plan: Plan) -> Result<f64> {
    let duration = ROUND_MIN.max(Duration::from_secs_f64(plan.seconds));
    let calls = paced(async || invoke(client, request).await.map(drop), async {
        tokio::time::sleep(duration).await;
        Ok(())
    });
    let (mut latencies_us, ()) = calls.await?;
    Ok(percentile(&mut latencies_us, 0.99) / 1e3)
}
