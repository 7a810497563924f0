//! Measures a file in three ways in this process: by wasmtime alone, through the host's
//! executions, and over gRPC on a loopback port.

use super::measure::{GuestFailed, Measured, WARM_UP_CALLS, Way, grpc_call, measure_grpc};
use super::stats::Parts;
use crate::cli::Bench;
use crate::commands::local_host;
use crate::commands::target::{file_location, folder_and_file};
use crate::terminal::parameters;
use crate::wiring::{self, HostExecutions};
use anyhow::{Context, Result, bail};
use pilum_call::CallContext;
use pilum_client::{Call, Client};
use pilum_engine::{Code, Engine, Services};
use pilum_execution::{ArtifactLabels, Invocation, Mode, Reply, Schedule, TaskSpec};
use pilum_types::{ArtifactSource, Digest, FunctionName, Grants, Parameter, TaskId, TaskName, TenantId};
use sha2::Digest as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Slices of the time for each way. The ways take turns, so that all of them see the same
/// noise of the machine.
const ROUNDS: u32 = 5;
/// The name of the file's task while it is measured.
const TASK: &str = "bench";

/// The call that every way makes.
struct Subject {
    source: ArtifactSource,
    function: FunctionName,
    parameters: Vec<Parameter>,
    timeout: Duration,
}

/// The file, ready to be called by wasmtime alone.
struct Bare {
    engine: Engine,
    code: Arc<Code>,
    context: CallContext,
}

/// Measures the file in all three ways, in turn.
pub(super) async fn measure(bench: &Bench, function: &FunctionName) -> Measured<Vec<Way>> {
    let (root, file) = folder_and_file(bench.target.as_ref())?;
    let bytes = tokio::fs::read(&file).await.with_context(|| format!("the file {}", file.display()))?;
    let digest = Digest::from_bytes(sha2::Sha256::digest(&bytes).into());
    let native = bench.data_dir.clone().map_or_else(local_host::cache_directory, Ok)?.join("native");
    let own = tempfile::tempdir().context("a temporary directory")?;
    let mut config = wiring::local_config(&root, own.path());
    config.sync_execution.max_concurrent_requests = bench.in_flight.into();
    let executions = wiring::executions_over(&config, &native)?;
    let subject = Subject {
        source: ArtifactSource { location: file_location(&file)?, checksum: Some(digest) },
        function: function.clone(),
        parameters: parameters::read(&bench.parameters)?,
        timeout: executions.settings().sync.default_timeout,
    };
    // The first call runs under the host's limits, so a function that never ends fails here.
    let task = match subject.register(&executions).await? {
        Ok(task) => task,
        Err(failed) => return Ok(Err(failed)),
    };
    let engine = wiring::engine(&config, wiring::artifacts(&config)?, &native, Services::default())?;
    let bare = subject.bare(engine, executions.settings().limits).await?;
    let listen = async || TcpListener::bind("127.0.0.1:0").await.context("a loopback port");
    let (grpc, http) = (listen().await?, listen().await?);
    let address = grpc.local_addr()?;
    let shutdown = CancellationToken::new();
    let limits = wiring::gateway_limits(&config);
    let serve = pilum_gateway::serve(executions.clone(), grpc, http, limits, shutdown.clone());
    let work = async {
        let client = Client::connect(&format!("http://{address}")).await?;
        let ways = subject.measure(bench, &bare, &executions, &client, &task).await;
        shutdown.cancel();
        ways
    };
    // Boxed, because the futures hold both servers and all three ways.
    let (served, ways) = tokio::join!(Box::pin(serve), Box::pin(work));
    served?;
    ways
}

impl Subject {
    async fn register(&self, executions: &HostExecutions) -> Measured<TaskId> {
        let spec = TaskSpec {
            name: TaskName::parse(TASK)?,
            description: String::new(),
            source: self.source.clone(),
            artifact: ArtifactLabels::default(),
            metadata: Vec::new(),
            policy: Arc::default(),
        };
        let execution = self.invoke(executions, pilum_execution::Target::New(spec)).await?;
        Ok(execution.map(|(task, _)| task))
    }

    async fn bare(&self, engine: Engine, limits: pilum_types::CallLimits) -> Result<Bare> {
        let code = engine.prepare(&self.source, &Grants::default()).await?;
        let (name, id) = (TaskName::parse(TASK)?, TaskId::parse(TASK)?);
        let context = CallContext::new(name, id, self.function.clone(), limits);
        Ok(Bare { engine, code, context })
    }

    async fn measure(
        &self,
        bench: &Bench,
        bare: &Bare,
        executions: &HostExecutions,
        client: &Client,
        task: &TaskId,
    ) -> Measured<Vec<Way>> {
        let call = Call::new(pilum_client::Target::Existing(task.clone()), self.function.clone())
            .parameters(self.parameters.clone());
        for _ in 0..WARM_UP_CALLS {
            self.call_bare(bare).await?;
            self.call(executions, task).await?.map_err(|GuestFailed(how)| anyhow::anyhow!(how))?;
            grpc_call(client, &call).await?.map_err(|GuestFailed(how)| anyhow::anyhow!(how))?;
        }
        let mut alone = Way::new("wasmtime alone", false);
        let mut inside = Way::new("in process", true);
        let mut grpc = Way::new("over gRPC", true);
        let slice = Duration::from_secs(bench.seconds.into()) / ROUNDS;
        for _ in 0..ROUNDS {
            self.measure_bare(bare, slice, &mut alone).await?;
            if let Err(failed) = self.measure_in_process(executions, task, slice, &mut inside).await? {
                return Ok(Err(failed));
            }
            if let Err(failed) = measure_grpc(client, &call, bench.in_flight, slice, &mut grpc).await? {
                return Ok(Err(failed));
            }
        }
        Ok(Ok(vec![alone, inside, grpc]))
    }

    async fn measure_bare(&self, bare: &Bare, slice: Duration, way: &mut Way) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < slice {
            let called = Instant::now();
            self.call_bare(bare).await?;
            way.add(called.elapsed(), None);
        }
        way.samples.ran_for(began.elapsed());
        Ok(())
    }

    async fn measure_in_process(
        &self,
        executions: &HostExecutions,
        task: &TaskId,
        slice: Duration,
        way: &mut Way,
    ) -> Measured<()> {
        let began = Instant::now();
        while began.elapsed() < slice {
            let called = Instant::now();
            match self.call(executions, task).await? {
                Ok(parts) => way.add(called.elapsed(), Some(parts)),
                Err(failed) => return Ok(Err(failed)),
            }
        }
        way.samples.ran_for(began.elapsed());
        Ok(Ok(()))
    }

    async fn call_bare(&self, bare: &Bare) -> Result<()> {
        let Ok(call) = bare.engine.bind(&bare.code, &self.function, self.parameters.clone()) else {
            bail!("the call does not fit the function, though the host took it");
        };
        let ended = bare.engine.run_bare(call, bare.context.clone()).await;
        ended.map_err(|failure| anyhow::anyhow!("{}: {}", failure.code, failure.message))
    }

    async fn call(&self, executions: &HostExecutions, task: &TaskId) -> Measured<Parts> {
        let target = pilum_execution::Target::Existing { id: task.clone(), otherwise: None };
        Ok(self.invoke(executions, target).await?.map(|(_, parts)| parts))
    }

    async fn invoke(
        &self,
        executions: &HostExecutions,
        target: pilum_execution::Target,
    ) -> Measured<(TaskId, Parts)> {
        let invocation = Invocation {
            tenant: TenantId::default(),
            target,
            function: self.function.clone(),
            parameters: self.parameters.clone(),
            mode: Mode::Sync,
            execution_id: None,
            timeout: Some(self.timeout),
            max_retries: None,
            environment: Arc::from([]),
            force_new_instance: false,
            schedule: Schedule::default(),
            callback: None,
        };
        let Reply::Finished(execution) = executions.invoke(invocation).await? else {
            bail!("a synchronous call was answered as an asynchronous one");
        };
        Ok(match (execution.failure(), &execution.outcome) {
            (Some(failure), _) => Err(GuestFailed(format!("{}: {}", failure.code, failure.message))),
            (None, Some(outcome)) => Ok((execution.task_id.clone(), Parts::of_usage(&outcome.usage))),
            (None, None) => bail!("a finished execution has no outcome"),
        })
    }
}
