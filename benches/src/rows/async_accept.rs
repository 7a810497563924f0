//! async_accept: durable ASYNC accepts, 64 in flight, over gRPC and in process,
//! against the same rows into a bare SQLite file in groups of 64; and
//! async_complete: 10,000 of them from the first submission to the last end,
//! against the accepts.
//!
//! What is only accepted is put off for a day, so that it stays where it is.

use crate::in_process::InProcess;
use crate::load::Loop;
use crate::measure::{Figure, Plan, alternate};
use crate::server::{Server, Setup};
use crate::store_file::bare_inserts;
use crate::target::at_least;
use crate::wire::{Function, invoke, later};
use anyhow::{Result, ensure};
use pilum_proto::spearlet::{ExecutionMode, GetHealthRequest, InvokeFunctionRequest};
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 64;
const GROUP: usize = 64;
const COMPLETED: usize = 10_000;
/// More than any measurement accepts.
const QUEUE: (&str, &str) = ("PILUM_ASYNC_EXECUTION__MAX_QUEUE_SIZE", "10000000");
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let duration = Duration::from_secs_f64(plan.seconds);
        let target = [at_least(0.7)];
        // Each side's file grows as the other's does.
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

/// A host that accepts, and a client of it.
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
        let request = Function::add()?.new_task("accepted", ExecutionMode::Async);
        let accepting =
            Self { load, request: existing(&load_one(&host, &request).await?, &request), data, _host: host };
        accepting.load.each(0..1, async |client, _| invoke(client, &later(&accepting.request)).await).await?;
        Ok(accepting)
    }

    /// Ends the host; what is left is its file.
    fn stop(self) -> tempfile::TempDir {
        self.data
    }

    async fn accept(&self, duration: Duration) -> Result<f64> {
        let request = later(&self.request);
        let measured = self.load.run(duration, async |client, _| invoke(client, &request).await.map(drop));
        Ok(measured.await?.calls_per_s)
    }

    /// From the first submission until all have ended.
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
            ensure!(now <= wanted, "{now} have ended where {wanted} should");
            if now == wanted {
                return Ok(count as f64 / began.elapsed().as_secs_f64());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Registers the task; returns its id.
async fn load_one(host: &Server, request: &InvokeFunctionRequest) -> Result<String> {
    let mut client = crate::wire::connect(&host.grpc).await?;
    Ok(invoke(&mut client, request).await?.task_id)
}

fn existing(task_id: &str, request: &InvokeFunctionRequest) -> InvokeFunctionRequest {
    InvokeFunctionRequest {
        invocation_type: pilum_proto::spearlet::InvocationType::ExistingTask.into(),
        task_id: task_id.to_owned(),
        task_name: String::new(),
        artifact_spec: None,
        ..request.clone()
    }
}
