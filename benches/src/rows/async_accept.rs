//! async_accept: durable ASYNC submissions, 64 in flight, over gRPC and in process.
//! The control inserts the same rows into a bare SQLite file, in groups of 64.
//!
//! async_complete: 10,000 submissions, from the first submission until the last
//! execution has ended. The control is async_accept.
//!
//! The executions of async_accept may not start before a day has passed, so they stay
//! in the queue.

use crate::client::load::Loop;
use crate::client::wire::{Function, connect, invoke, later};
use crate::in_process::InProcess;
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::at_least;
use crate::server::{Server, Setup};
use crate::store_file::bare_inserts;
use anyhow::{Result, ensure};
use pilum_proto::spearlet::{ExecutionMode, GetHealthRequest, InvokeFunctionRequest};
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 64;
const GROUP: usize = 64;
const COMPLETED: usize = 10_000;
/// More than any measurement submits.
const QUEUE: (&str, &str) = ("PILUM_ASYNC_EXECUTION__MAX_QUEUE_SIZE", "10000000");
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let duration = Duration::from_secs_f64(plan.seconds);
        let target = [at_least(0.7)];
        // Both sides write to a file of their own, and both files grow.
        let (wire, here, bare) = (Accepting::start().await?, tempfile::tempdir()?, Accepting::start().await?);
        let data = bare.stop();
        let over_grpc = alternate(
            plan,
            async || wire.accept(duration).await,
            async || bare_inserts(data.path(), GROUP, plan.seconds),
        );
        let over_grpc = Figure::beside("async_accept over gRPC", "accepts/s", &target, &over_grpc.await?);

        let host = InProcess::start_with(here.path(), None, |config| {
            config.async_execution.max_queue_size = 10_000_000;
        })?;
        let accepting = host.accepting("add").await?;
        let in_process = alternate(
            plan,
            async || accepting.accept(IN_FLIGHT, duration).await,
            async || bare_inserts(data.path(), GROUP, plan.seconds),
        );
        let in_process = Figure::beside("async_accept in process", "accepts/s", &target, &in_process.await?);

        let completed =
            alternate(plan, async || wire.complete(COMPLETED).await, async || wire.accept(duration).await);
        let completed = completed.await?;
        let completed = Figure::beside(
            "async_complete, beside async_accept",
            "executions/s",
            &[at_least(0.5)],
            &completed,
        );
        Ok(vec![over_grpc, in_process, completed])
    })
}

/// A host that accepts submissions, and clients of it.
struct Accepting {
    load: Loop,
    request: InvokeFunctionRequest,
    data: tempfile::TempDir,
    _host: Server,
}

impl Accepting {
    async fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let setup = Setup { settings: &[QUEUE], data: Some(data.path()), ..Setup::default() };
        let host = Server::host_with(&setup)?;
        let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
        let add = Function::add()?;
        let first = add.new_task("accepted", ExecutionMode::Async);
        let task_id = invoke(&mut connect(&host.grpc).await?, &first).await?.task_id;
        let request = InvokeFunctionRequest {
            execution_mode: ExecutionMode::Async.into(),
            ..add.existing_task(task_id)
        };
        let accepting = Self { load, request, data, _host: host };
        accepting.load.each(0..1, async |client, _| invoke(client, &later(&accepting.request)).await).await?;
        Ok(accepting)
    }

    /// Ends the host; returns its data directory.
    fn stop(self) -> tempfile::TempDir {
        self.data
    }

    async fn accept(&self, duration: Duration) -> Result<f64> {
        let request = later(&self.request);
        let measured = self.load.run(duration, async |client, _| invoke(client, &request).await.map(drop));
        Ok(measured.await?.calls_per_s)
    }

    /// Executions per second, from the first submission until all have ended.
    async fn complete(&self, count: usize) -> Result<f64> {
        let ended = async || -> Result<i64> {
            let health = self.load.each(0..1, async |client, _| {
                Ok(client.get_health(GetHealthRequest { include_details: true }).await?.into_inner())
            });
            let details = health.await?.pop().and_then(|health| health.details).unwrap_or_default();
            Ok(details.total_executions
                - i64::from(details.pending_executions)
                - i64::from(details.running_executions))
        };
        let before = ended().await?;
        let began = Instant::now();
        self.load.each(0..count, async |client, _| invoke(client, &self.request).await.map(drop)).await?;
        let wanted = before + i64::try_from(count)?;
        loop {
            let now = ended().await?;
            ensure!(now <= wanted, "{now} executions have ended instead of {wanted}");
            if now == wanted {
                return Ok(count as f64 / began.elapsed().as_secs_f64());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
