//! Starts and ends the host that `pilum dev` runs in a child process.

use crate::cli::Dev;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;

/// How long the host may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// How long the host may take to end. Its calls are the developer's own, so they may be
/// cut off.
const END_MAX: Duration = Duration::from_secs(5);

/// A host in a child process. Dropping it kills the process.
pub(super) struct OwnHost {
    /// The address that it listens on for gRPC.
    pub(super) server: String,
    /// Its line about the addresses that it listens on.
    pub(super) ready_line: String,
    child: Child,
    /// Reads the host's standard error to its end, so that a host that logs much never
    /// waits for a reader. [`OwnHost::end`] waits for it.
    log_reader: JoinSet<()>,
}

impl OwnHost {
    /// Starts a host at the address that `dev` names, with its data in `folder/.pilum`, and
    /// waits until it is ready.
    pub(super) async fn start(dev: &Dev, folder: &Path) -> Result<Self> {
        let mut child = spawn(dev, folder)?;
        let stdout = child.stdout.take().context("a host without standard output")?;
        let stderr = child.stderr.take().context("a host without standard error")?;
        let ready = tokio::time::timeout(START_MAX, BufReader::new(stdout).lines().next_line()).await;
        let mut log = BufReader::new(stderr).lines();
        let Some(ready_line) = ready.context("the host does not start in time")?? else {
            let last = last_line(&mut log).await;
            bail!("no host answers at {}, and none can be started there: {last}", dev.server);
        };
        let mut log_reader = JoinSet::new();
        log_reader.spawn(async move { drop(last_line(&mut log).await) });
        let address = ready_line.split_whitespace().find_map(|word| word.strip_prefix("grpc="));
        let server = address.context("the host does not say where it listens")?.to_owned();
        Ok(Self { server, ready_line, child, log_reader })
    }

    /// Asks the host to end, and kills it if it does not end in time.
    pub(super) async fn end(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Fails if the host has ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(END_MAX, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        // A process that the host started may still hold its standard error open.
        self.log_reader.shutdown().await;
    }
}

fn spawn(dev: &Dev, folder: &Path) -> Result<Child> {
    let data = folder.join(".pilum");
    std::fs::create_dir_all(&data).with_context(|| format!("the folder {}", data.display()))?;
    // The folder holds secrets and databases, which nobody wants to commit.
    std::fs::write(data.join(".gitignore"), "*\n")
        .with_context(|| format!("the folder {}", data.display()))?;
    let program = std::env::current_exe().context("this program's own file")?;
    Command::new(program)
        .args(["serve", "--grpc-listen", &dev.server, "--http-listen", &dev.http_listen, "--data-dir"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A ctrl-c goes to this process only. This process ends the host afterwards.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("a host cannot be started")
}

/// Reads to the end, and returns the last line.
async fn last_line(log: &mut Lines<BufReader<ChildStderr>>) -> String {
    let mut last = String::new();
    while let Ok(Some(line)) = log.next_line().await {
        last = line;
    }
    last
}
