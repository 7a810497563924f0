//! A host in its own process.

use anyhow::{Context, Result, bail};
use pilum_client::Client;
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::Channel;

/// How long a debug build of the host may take to be ready, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The settings of a host that is not started yet.
#[derive(Debug, Default)]
pub struct HostBuilder {
    config: String,
    data_dir: Option<PathBuf>,
    environment: Vec<(String, String)>,
    log: Option<PathBuf>,
}

/// A running host. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// The address of gRPC.
    pub grpc: String,
    /// The address of HTTP.
    pub http: String,
    directory: TempDir,
}

impl HostBuilder {
    /// Adds TOML to the configuration.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Sets the data directory, so that another host can be started over it.
    #[must_use]
    pub fn data_dir(mut self, directory: &Path) -> Self {
        self.data_dir = Some(directory.to_owned());
        self
    }

    /// Sets a variable in the environment of the host's process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Appends the host's log to this file instead of showing it.
    #[must_use]
    pub fn log(mut self, file: &Path) -> Self {
        self.log = Some(file.to_owned());
        self
    }

    /// Starts the host and waits until it reports that it is ready.
    ///
    /// # Errors
    /// If the host does not report this in time, with what it wrote instead.
    pub async fn start(self) -> Result<Host> {
        let directory = tempfile::tempdir()?;
        let artifacts = directory.path().join("artifacts");
        std::fs::create_dir(&artifacts)?;
        let config = directory.path().join("pilum.toml");
        std::fs::write(&config, &self.config)?;
        let data_dir = self.data_dir.unwrap_or_else(|| directory.path().join("data"));
        let mut child = Command::new(Host::binary()?)
            .arg("serve")
            .args(["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(&config)
            .arg("--data-dir")
            .arg(&data_dir)
            .arg("--artifact-root")
            .arg(&artifacts)
            .arg("--artifact-root")
            .arg(crate::guest_path(".")?)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(match &self.log {
                Some(file) => OpenOptions::new().create(true).append(true).open(file)?.into(),
                None => Stdio::inherit(),
            })
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("the host has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(START_TIMEOUT, lines.next_line())
            .await
            .context("the host is not ready in time")??;
        let Some(line) = line else { bail!("the host ended: {}", child.wait().await?) };
        let rest =
            line.strip_prefix("pilum ready grpc=").with_context(|| format!("the host wrote {line:?}"))?;
        let (grpc, http) = rest.split_once(" http=").with_context(|| format!("the host wrote {line:?}"))?;
        Ok(Host { child, grpc: grpc.to_owned(), http: http.to_owned(), directory })
    }
}

impl Host {
    /// The settings of a host; [`HostBuilder::start`] starts it.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// A host with the default configuration.
    ///
    /// # Errors
    /// If the host does not start.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// The path of the built `pilum` binary, which is near the test's own.
    ///
    /// # Errors
    /// If it is not built.
    pub fn binary() -> Result<PathBuf> {
        // target/<profile>/deps/<test> → target/<profile>/pilum
        let test = std::env::current_exe()?;
        let beside = test.parent().context("a test without a target directory")?;
        // The binary `pilum-kill-test` is in the same folder as `pilum`, a test one folder below.
        let profile = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside };
        let binary = profile.join("pilum");
        if !binary.exists() {
            bail!("{} is not built; run `make build`", binary.display());
        }
        Ok(binary)
    }

    /// A client from `pilum-client`.
    ///
    /// # Errors
    /// If it cannot connect.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.grpc).await?)
    }

    /// A client generated from the contract alone, as in other languages.
    ///
    /// # Errors
    /// If it cannot connect.
    pub async fn raw_client(&self) -> Result<FunctionServiceClient<Channel>> {
        let channel = Channel::from_shared(format!("http://{}", self.grpc))?.connect().await?;
        Ok(FunctionServiceClient::new(channel)
            .max_decoding_message_size(16 << 20)
            .max_encoding_message_size(64 << 20))
    }

    /// Writes an artifact below one of the host's roots; returns its location and digest.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(String, String)> {
        let path = self.directory.path().join("artifacts").join(name);
        std::fs::write(&path, bytes)?;
        Ok((format!("file://{}", path.display()), crate::digest_of(bytes)))
    }

    /// The id of the host's process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills the host, like a crash, and waits until its process is gone.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until the host ends by itself; returns its exit code.
    ///
    /// # Errors
    /// If the host does not end in time.
    pub async fn ended(mut self, within: Duration) -> Result<Option<i32>> {
        let status = tokio::time::timeout(within, self.child.wait()).await;
        Ok(status.context("the host did not end in time")??.code())
    }

    /// Sends SIGTERM and waits until the host ends; returns whether its exit code is 0.
    ///
    /// # Errors
    /// If the host does not end in time.
    pub async fn terminate(mut self, within: Duration) -> Result<bool> {
        let pid = self.child.id().context("the host has ended already")?;
        let kill = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        anyhow::ensure!(kill.success(), "kill failed");
        let status = tokio::time::timeout(within, self.child.wait())
            .await
            .context("the host did not end in time")??;
        Ok(status.success())
    }
}
