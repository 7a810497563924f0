//! A host's executions in this process.

use crate::guests;
use anyhow::{Result, bail, ensure};
use pilum_engine::{Compiler, Engine, EngineSettings, Services};
use pilum_execution::{ArtifactLabels, Executions, Invocation, Mode, Reply, Schedule, Target, TaskSpec};
use pilum_host::EngineRuntime;
use pilum_host::config::Config;
use pilum_host::wiring::{self, HostExecutions};
use pilum_sqlite::KeyValues;
use pilum_types::{
    ArtifactSource, FunctionName, Output, Parameter, State, TaskId, TaskName, TenantId, Value,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How long executions may take to end and to release the data directory.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The host's executions, in this process.
pub(crate) struct InProcess {
    executions: Arc<HostExecutions>,
}

/// A call of one function with numbers, and what it must return.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    function: &'static str,
    parameters: &'static [(&'static str, i64)],
    expected: i64,
}

pub(crate) const ADD: Call = Call { function: "add", parameters: &[("a", 2), ("b", 40)], expected: 42 };
pub(crate) const FIBONACCI: Call =
    Call { function: "calculate-fibonacci", parameters: &[("n", 10)], expected: 55 };

impl InProcess {
    /// Starts over `data`, with the built guests and `root` to take artifacts from.
    pub(crate) fn start(data: &Path, root: Option<PathBuf>) -> Result<Self> {
        Self::start_with(data, root, |_| {})
    }

    /// As [`start`](Self::start), with a configuration that `change` has changed.
    pub(crate) fn start_with(
        data: &Path,
        root: Option<PathBuf>,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let mut config = Config::default();
        config.storage.data_dir = data.to_owned();
        config.artifacts.roots = vec![guests::folder()?];
        config.artifacts.roots.extend(root);
        change(&mut config);
        Ok(Self { executions: wiring::executions(&config)? })
    }

    /// Starts over `data` with a few instance slots and a compiler in this process, so
    /// that it can run under valgrind.
    pub(crate) fn start_small(data: &Path) -> Result<Self> {
        let mut config = Config::default();
        config.storage.data_dir = data.to_owned();
        config.artifacts.roots = vec![guests::folder()?];
        let settings = EngineSettings {
            directory: data.join("native"),
            instance_slots: 4,
            memory_max_bytes: config.limits.memory_max_bytes,
            table_max_elements: config.limits.table_max_elements,
            metered: false,
            code_cache_max_bytes: config.engine.code_cache_max_bytes,
            native_cache_max_bytes: config.engine.native_cache_max_bytes,
        };
        let artifacts = wiring::artifacts(&config)?;
        let engine = Engine::new(&settings, artifacts.clone(), Compiler::InProcess, Services::default())?;
        let values = KeyValues::open(data, config.storage.key_value_task_max_bytes)?;
        let runtime = EngineRuntime::new(engine, artifacts, values);
        let executions = Executions::start(runtime, wiring::store(&config)?, config.execution_settings())?;
        Ok(Self { executions })
    }

    /// Calls a function of a new task.
    pub(crate) async fn register(&self, name: &str, source: ArtifactSource, call: Call) -> Result<TaskId> {
        let spec = TaskSpec {
            name: TaskName::parse(name)?,
            description: String::new(),
            source,
            artifact: ArtifactLabels::default(),
            metadata: Vec::new(),
            policy: Arc::default(),
        };
        self.run(Target::New(spec), call).await
    }

    /// Calls a function of a registered task.
    pub(crate) async fn call(&self, task: &TaskId, call: Call) -> Result<()> {
        self.run(Target::Existing { id: task.clone(), otherwise: None }, call).await.map(drop)
    }

    /// Registers a task whose calls are then submitted to run a day later.
    pub(crate) async fn accepting(&self, name: &str) -> Result<Accepting<'_>> {
        let task = self.register(name, guests::source(guests::CORE)?, ADD).await?;
        Ok(Accepting { host: self, task })
    }

    /// Ends, so that another host may start over the same data.
    pub(crate) async fn end(self) {
        self.executions.drain(DRAIN_MAX).await;
    }

    async fn run(&self, target: Target, call: Call) -> Result<TaskId> {
        let Reply::Finished(execution) = self.executions.invoke(invocation(target, call)?).await? else {
            bail!("not finished")
        };
        ensure!(execution.state == State::Completed, "{execution:?}");
        let result = execution.outcome.as_ref().map(|outcome| &outcome.result);
        let right = match result {
            Some(Ok(Output::Typed(Value::Signed(n)))) => *n == call.expected,
            Some(Ok(Output::Typed(Value::Unsigned(n)))) => i64::try_from(*n) == Ok(call.expected),
            _ => false,
        };
        ensure!(right, "{result:?}");
        Ok(execution.task_id.clone())
    }
}

/// A task whose calls are submitted to run a day later.
pub(crate) struct Accepting<'a> {
    host: &'a InProcess,
    task: TaskId,
}

impl Accepting<'_> {
    /// Submits with so many calls in flight; returns how many were accepted in a second.
    pub(crate) async fn accept(&self, in_flight: usize, duration: Duration) -> Result<f64> {
        let began = Instant::now();
        let target = Target::Existing { id: self.task.clone(), otherwise: None };
        let not_before = Some(SystemTime::now() + Duration::from_secs(86_400));
        let schedule = Schedule { not_before, ..Schedule::default() };
        let invocation = Invocation { mode: Mode::Async, schedule, ..invocation(target, ADD)? };
        let mut loops = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (executions, invocation) = (Arc::clone(&self.host.executions), invocation.clone());
            loops.spawn(async move {
                let mut accepted = 0_u32;
                while began.elapsed() < duration {
                    let reply = executions.invoke(invocation.clone()).await?;
                    ensure!(matches!(reply, Reply::Pending { .. }), "{reply:?}");
                    accepted += 1;
                }
                anyhow::Ok(accepted)
            });
        }
        let mut accepted = 0;
        while let Some(ended) = loops.join_next().await {
            accepted += ended??;
        }
        Ok(f64::from(accepted) / began.elapsed().as_secs_f64())
    }
}

fn invocation(target: Target, call: Call) -> Result<Invocation> {
    let parameters = call.parameters.iter().map(|(name, n)| Parameter {
        name: (*name).to_owned(),
        type_name: String::new(),
        value: Value::Signed(*n),
    });
    Ok(Invocation {
        tenant: TenantId::default(),
        target,
        function: FunctionName::parse(call.function)?,
        parameters: parameters.collect(),
        mode: Mode::Sync,
        execution_id: None,
        timeout: None,
        max_retries: None,
        environment: Arc::from([]),
        force_new_instance: false,
        schedule: Schedule::default(),
        callback: None,
    })
}
