//! Hosts to measure: one in this process, one in a process of its own.

use anyhow::{Context, Result, bail, ensure};
use pilum_execution::{ArtifactLabels, Invocation, Mode, Reply, Target, TaskSpec};
use pilum_host::wiring::{self, HostExecutions};
use pilum_types::{
    ArtifactSource, Digest, FunctionName, Output, Parameter, State, TaskId, TaskName, TenantId, Value,
};
use sha2::Digest as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// The folder of the built guests.
pub(crate) fn guests() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples/out");
    path.canonicalize().context("there are no guests; run `make guests`")
}

/// A built guest's bytes.
pub(crate) fn guest(name: &str) -> Result<Vec<u8>> {
    std::fs::read(guests()?.join(name)).with_context(|| format!("there is no {name}; run `make guests`"))
}

/// A guest's location and digest.
pub(crate) fn source(name: &str) -> Result<ArtifactSource> {
    let digest = Digest::from_bytes(sha2::Sha256::digest(guest(name)?).into());
    Ok(ArtifactSource { location: format!("file:{name}"), checksum: Some(digest) })
}

/// The host's executions, in this process.
pub(crate) struct InProcess {
    executions: Arc<HostExecutions>,
    _data: TempDir,
}

impl InProcess {
    pub(crate) fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut config = pilum_host::config::Config::default();
        config.storage.data_dir = data.path().to_owned();
        config.artifacts.roots = vec![guests()?];
        Ok(Self { executions: wiring::executions(&config)?, _data: data })
    }

    pub(crate) async fn register(&self, name: &str, file: &str) -> Result<TaskId> {
        let spec = TaskSpec {
            name: TaskName::parse(name)?,
            description: String::new(),
            source: source(file)?,
            artifact: ArtifactLabels::default(),
            metadata: Vec::new(),
        };
        let invocation = invocation(Target::New(spec), "add", [("a", 2), ("b", 40)].as_slice())?;
        match self.executions.invoke(invocation).await? {
            Reply::Finished(execution) if execution.state == State::Completed => {
                Ok(execution.task_id.clone())
            }
            other => bail!("{other:?}"),
        }
    }

    pub(crate) async fn add(&self, task: &TaskId) -> Result<()> {
        self.call(task, "add", &[("a", 2), ("b", 40)], 42).await
    }

    pub(crate) async fn fibonacci(&self, task: &TaskId) -> Result<()> {
        self.call(task, "calculate-fibonacci", &[("n", 10)], 55).await
    }

    async fn call(
        &self,
        task: &TaskId,
        function: &str,
        parameters: &[(&str, i64)],
        expected: i64,
    ) -> Result<()> {
        let target = Target::Existing { id: task.clone(), otherwise: None };
        let Reply::Finished(execution) =
            self.executions.invoke(invocation(target, function, parameters)?).await?
        else {
            bail!("not finished")
        };
        let result = execution.outcome.as_ref().map(|outcome| &outcome.result);
        #[expect(clippy::cast_sign_loss, reason = "the expected numbers are positive")]
        let right = match result {
            Some(Ok(Output::Typed(Value::Signed(n)))) => *n == expected,
            Some(Ok(Output::Typed(Value::Unsigned(n)))) => *n == expected as u64,
            _ => false,
        };
        ensure!(right, "{result:?}");
        Ok(())
    }
}

fn invocation(target: Target, function: &str, parameters: &[(&str, i64)]) -> Result<Invocation> {
    let parameters = parameters.iter().map(|(name, n)| Parameter {
        name: (*name).to_owned(),
        type_name: String::new(),
        value: Value::Signed(*n),
    });
    Ok(Invocation {
        tenant: TenantId::default(),
        target,
        function: FunctionName::parse(function)?,
        parameters: parameters.collect(),
        mode: Mode::Sync,
        execution_id: None,
        timeout: None,
        max_retries: None,
        environment: Arc::from([]),
        force_new_instance: false,
    })
}

/// A server in a process of its own, which says where it listens.
pub(crate) struct Server {
    child: Child,
    /// Where gRPC is.
    pub(crate) grpc: String,
    _data: TempDir,
}

impl Server {
    /// A production host: everything on.
    pub(crate) fn host() -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("pilum");
        let data = tempfile::tempdir()?;
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data.path())
            .arg("--artifact-root")
            .arg(guests()?)
            .stderr(Stdio::null());
        Self::start(command, data).with_context(|| format!("{}", binary.display()))
    }

    /// This binary as the control of grpc_sync.
    pub(crate) fn control_echo() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("control-echo");
        Self::start(command, tempfile::tempdir()?)
    }

    fn start(mut command: Command, data: TempDir) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let grpc = line.split_whitespace().find_map(|word| word.strip_prefix("grpc="));
        let grpc = grpc.with_context(|| format!("the server said {line:?}"))?.to_owned();
        Ok(Self { child, grpc, _data: data })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
