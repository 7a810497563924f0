//! Servers that each run in their own process: the host as in production, and the
//! controls.

use crate::controls::echo::Inside;
use crate::guests;
use crate::results::report;
use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How often and how many times a control is tried that does not report that it is
/// ready.
const START_LOOK_EVERY: Duration = Duration::from_millis(20);
const START_LOOKS: u32 = 500;

/// The settings of a host beside its defaults.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// Environment variables of the configuration.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// An artifact root beside the folder of the built guests.
    pub(crate) root: Option<&'a Path>,
    /// A data directory that stays when the host ends. Without it the host gets a
    /// temporary one.
    pub(crate) data: Option<&'a Path>,
}

/// A server process. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// The address of gRPC; empty if the server has none.
    pub(crate) grpc: String,
    /// The address of HTTP; empty if the server has none.
    pub(crate) http: String,
    _data: TempDir,
}

impl Server {
    /// A host with its default configuration.
    pub(crate) fn host() -> Result<Self> {
        Self::host_with(&Setup::default())
    }

    pub(crate) fn host_with(setup: &Setup<'_>) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("pilum");
        let own = tempfile::tempdir()?;
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(setup.data.unwrap_or(own.path()))
            .arg("--artifact-root")
            .arg(guests::folder()?)
            .envs(setup.settings.iter().copied())
            .stderr(Stdio::null());
        if let Some(root) = setup.root {
            command.arg("--artifact-root").arg(root);
        }
        Self::start(command, own).context("the host")
    }

    /// This binary as the control of the gRPC rows.
    pub(crate) fn control_echo(inside: Inside) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let inside = inside.to_possible_value().context("this variant has no name on the command line")?;
        command.args(["control-echo", "--inside", inside.get_name()]);
        Self::start(command, tempfile::tempdir()?).context("the control")
    }

    /// `wasmtime serve` with a built guest: the control of the HTTP rows. It reports
    /// only on standard error that it is ready, so this connects until it succeeds.
    pub(crate) async fn wasmtime_serve(guest: &str) -> Result<Self> {
        let program = std::env::var_os("WASMTIME").unwrap_or_else(|| "wasmtime".into());
        // It does not support port 0, so it gets a port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(&program);
        command.args(["serve", "--addr", &address]).arg(guests::folder()?.join(guest));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.context("there is no wasmtime; benches/run.sh installs it")?;
        let server = Self { child, grpc: String::new(), http: address.clone(), _data: tempfile::tempdir()? };
        for _ in 0..START_LOOKS {
            if std::net::TcpStream::connect(&address).is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(START_LOOK_EVERY).await;
        }
        bail!("`wasmtime serve` does not answer");
    }

    /// The resident memory of the server, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<f64> {
        let status = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        let resident = report::field(&status, "VmRSS").context("no VmRSS below /proc")?;
        Ok(resident.trim_end_matches(" kB").parse()?)
    }

    fn start(mut command: Command, data: TempDir) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let grpc = line.split_whitespace().find_map(|word| word.strip_prefix("grpc="));
        let grpc =
            grpc.with_context(|| format!("the server printed {line:?} instead of its addresses"))?.to_owned();
        let http = line.split_whitespace().find_map(|word| word.strip_prefix("http=")).unwrap_or_default();
        Ok(Self { child, grpc, http: http.to_owned(), _data: data })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both calls fail if the server has ended by itself, which is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
