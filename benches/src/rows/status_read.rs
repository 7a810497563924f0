//! status_read: GetExecutionStatus of finished asynchronous executions, 32 in
//! flight, against a bare tonic server that answers the same message; and of
//! many records against few.
//!
//! The records are in memory in this version, which keeps 100,000 that ended.

use crate::controls::echo::Inside;
use crate::load::{Loop, Measured};
use crate::measure::{Figure, Plan, alternate};
use crate::server::{Server, Setup};
use crate::target::{at_least, at_most};
use crate::tasks::{IN_FLIGHT, finished_records};
use crate::wire::{Function, status};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// All submissions may wait at once: what is measured comes after them.
const QUEUE: (&str, &str) = ("PILUM_ASYNC_EXECUTION__MAX_QUEUE_SIZE", "1000000");

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let few = Records::made(FEW).await?;
        let many = Records::made(MANY).await?;
        let control = Server::control_echo(Inside::Nothing)?;
        let bare = Loop::connect(&control.grpc, IN_FLIGHT).await?;
        let duration = Duration::from_secs_f64(plan.seconds);
        let beside_bare = alternate(
            plan,
            async || Ok(read(&few.load, &few.ids, duration).await?.calls_per_s),
            async || Ok(read(&bare, &few.ids, duration).await?.calls_per_s),
        )
        .await?;
        let beside_few = alternate(
            plan,
            async || Ok(1e6 / read(&many.load, &many.ids, duration).await?.calls_per_s),
            async || Ok(1e6 / read(&few.load, &few.ids, duration).await?.calls_per_s),
        )
        .await?;
        Ok(vec![
            Figure::beside("status_read, 1,000 records", "calls/s", &[at_least(0.8)], &beside_bare),
            Figure::beside("status_read, 100,000 records against 1,000", "µs", &[at_most(1.2)], &beside_few),
        ])
    })
}

/// A host with finished records.
pub(crate) struct Records {
    pub(crate) load: Loop,
    pub(crate) ids: Vec<String>,
    pub(crate) host: Server,
}

impl Records {
    pub(crate) async fn made(count: usize) -> Result<Self> {
        let host = Server::host_with(&Setup { settings: &[QUEUE], ..Setup::default() })?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        let ids = finished_records(&load, &Function::add()?, count).await?;
        Ok(Self { load, ids, host })
    }
}

/// Reads one record after the other.
pub(crate) async fn read(load: &Loop, ids: &[String], duration: Duration) -> Result<Measured> {
    load.run(duration, async |client, number| {
        let id = ids.get(number % ids.len()).context("there are records")?;
        let answer = status(client, id).await?;
        ensure!(answer.found, "{id} is gone");
        Ok(())
    })
    .await
}
