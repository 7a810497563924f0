//! status_read: GetExecutionStatus of finished asynchronous executions, 32 in flight,
//! in three figures:
//! - a thousand records, against a bare tonic server that answers the same message;
//! - a thousand of a million records, against the thousand: clients usually read
//!   executions that ended recently;
//! - any of the million, which the store reads from its file, against the thousand.

use crate::client::load::{Loop, Measured};
use crate::client::tasks::{IN_FLIGHT, finished_records};
use crate::client::wire::{Function, status};
use crate::controls::echo::Inside;
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::{at_least, at_most};
use crate::server::{Server, Setup};
use crate::store_file::multiply;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tempfile::TempDir;

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// Enough for all submissions at once; they are not part of the measurement.
const QUEUE: (&str, &str) = ("PILUM_ASYNC_EXECUTION__MAX_QUEUE_SIZE", "1000000");

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let few = Records::made(FEW).await?;
        let many = Records::multiplied(MANY).await?;
        let hot = many.ids.get(..FEW).context("fewer records than expected")?;
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
            async || Ok(1e6 / read(&many.load, hot, duration).await?.calls_per_s),
            async || Ok(1e6 / read(&few.load, &few.ids, duration).await?.calls_per_s),
        )
        .await?;
        let from_file = alternate(
            plan,
            async || Ok(1e6 / read(&many.load, &many.ids, duration).await?.calls_per_s),
            async || Ok(1e6 / read(&few.load, &few.ids, duration).await?.calls_per_s),
        )
        .await?;
        Ok(vec![
            Figure::beside("status_read, 1,000 records", "calls/s", &[at_least(0.8)], &beside_bare),
            Figure::beside(
                "status_read, 1,000,000 records against 1,000",
                "µs",
                &[at_most(1.2)],
                &beside_few,
            ),
            Figure::beside("status_read, any of 1,000,000 from the file", "µs", &[], &from_file),
        ])
    })
}

/// A host that has finished records.
pub(crate) struct Records {
    pub(crate) load: Loop,
    pub(crate) ids: Vec<String>,
    pub(crate) host: Server,
    _data: Option<TempDir>,
}

impl Records {
    pub(crate) async fn made(count: usize) -> Result<Self> {
        let host = Server::host_with(&Setup { settings: &[QUEUE], ..Setup::default() })?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        let ids = finished_records(&load, &Function::add()?, count).await?;
        Ok(Self { load, ids, host, _data: None })
    }

    /// The same, but SQL makes copies of one record; their order is mixed.
    async fn multiplied(count: usize) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let setup = Setup { settings: &[QUEUE], data: Some(data.path()), ..Setup::default() };
        let id = {
            let host = Server::host_with(&setup)?;
            let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
            finished_records(&load, &Function::add()?, 1).await?.pop().context("no record was made")?
        };
        let mut ids = multiply(data.path(), &id, count)?;
        // This stride has no common divisor with `count`, so it reaches every record, and
        // neighbours far apart.
        let stride = count / 7 * 3;
        ids = (0..count).filter_map(|n| ids.get(n.wrapping_mul(stride) % count).cloned()).collect();
        let host = Server::host_with(&setup)?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        Ok(Self { load, ids, host, _data: Some(data) })
    }
}

/// Reads the records in turn, again and again.
pub(crate) async fn read(load: &Loop, ids: &[String], duration: Duration) -> Result<Measured> {
    load.run(duration, async |client, number| {
        let id = ids.get(number % ids.len()).context("there are no records")?;
        let answer = status(client, id).await?;
        ensure!(answer.found, "{id} is gone");
        Ok(())
    })
    .await
}
