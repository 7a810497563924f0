//! `pilum dev`: builds and deploys a function whenever it changes, and shows what
//! its calls do.

use super::{connect, print, project};
use crate::cli::{Dev, Remote};
use anyhow::{Context, Result, bail};
use pilum_client::{Client, ExecutionFilter};
use pilum_project::Manifest;
use pilum_types::{ExecutionId, TaskId};
use rustix::process::{Pid, kill_process};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;

/// How often files and executions are looked at. Files are looked at one by one,
/// which works in any folder and needs no rule for what comes at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Files that are looked at, at most.
const FILES_MAX: usize = 10_000;
/// Executions that are shown of what happened between two looks.
const SHOWN_MAX: usize = 100;
/// Folders that hold what is made, not what is written.
//
const MADE: [&str; 8] = ["target", "node_modules", "build", "dist", "out", "__pycache__", "venv", "wasm"];
/// How long a host of our own may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to end: its calls are the developer's own.
const END_MAX: Duration = Duration::from_secs(5);

pub(super) async fn run(dev: Dev) -> Result<ExitCode> {
    // Heard from the first moment on, whatever is under way.
    let mut signals = Signals::new()?;
    let manifest = Manifest::read(&dev.project)?;
    let (client, own) = tokio::select! {
        host = host(&dev, project::folder(&dev.project)) => host?,
        () = signals.any() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        failed = watch(&dev, &client, &manifest) => failed.map(|never| match never {}),
        () = signals.any() => Ok(ExitCode::SUCCESS),
    };
    if let Some(own) = own {
        end(own).await;
    }
    ended
}

/// Builds and deploys whenever something changes, and shows what is called, until the
/// host is gone.
async fn watch(dev: &Dev, client: &Client, manifest: &Manifest) -> Result<Infallible> {
    let folder = project::folder(&dev.project);
    print::remark(format!("watching {}; stop with ctrl-c", folder.display()));
    let mut shown = Shown::default();
    let mut seen = None;
    let mut task = None;
    loop {
        let now = newest(folder, &manifest.artifact);
        if seen != Some(now) {
            seen = Some(now);
            match deploy(&dev.project, client, task.is_none()).await {
                Ok(id) if task.is_none() => {
                    shown.skip_earlier(client, &id).await?;
                    task = Some(id);
                }
                Ok(_known) => {}
                Err(error) => print::error(&error),
            }
        }
        if let Some(id) = &task {
            shown.show_new(client, id).await.context("the host does not answer any more")?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What ends this program from outside.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> Result<Self> {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hang_up?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// Lets a host of our own end, and makes it end.
async fn end(mut host: Child) {
    let pid = host.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(END_MAX, host.wait()).await.is_err() {
        let _ = host.kill().await;
    }
}

/// The host that answers at the address, or one of our own there.
async fn host(dev: &Dev, folder: &Path) -> Result<(Client, Option<Child>)> {
    if let Ok(client) = connect(&Remote { server: dev.server.clone(), json: false }).await {
        return Ok((client, None));
    }
    let data = folder.join(".pilum");
    std::fs::create_dir_all(&data).with_context(|| format!("the folder {}", data.display()))?;
    // It holds secrets and databases, which nobody wants to commit.
    std::fs::write(data.join(".gitignore"), "*\n")
        .with_context(|| format!("the folder {}", data.display()))?;
    let program = std::env::current_exe().context("this program's own file")?;
    let mut child = Command::new(program)
        .args(["serve", "--grpc-listen", &dev.server, "--http-listen", &dev.http_listen, "--data-dir"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A ctrl-c is ours; the host is told when we have finished.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("a host of its own")?;
    let stdout = child.stdout.take().context("a host without standard output")?;
    let ready = tokio::time::timeout(START_MAX, BufReader::new(stdout).lines().next_line()).await;
    let stderr = child.stderr.take().context("a host without standard error")?;
    let mut errors = BufReader::new(stderr).lines();
    let Some(line) = ready.context("the host does not start in time")?? else {
        let mut last = String::new();
        while let Ok(Some(line)) = errors.next_line().await {
            last = line;
        }
        bail!("no host answers at {}, and none can be started there: {last}", dev.server);
    };
    // Read to its end, so that a host that logs much never waits for us.
    let drained = async move { while let Ok(Some(_)) = errors.next_line().await {} };
    drop(TaskTracker::new().spawn(drained));
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("grpc="));
    let server = address.context("the host does not say where it listens")?.to_owned();
    print::remark(line.replace("pilum ready", "started a host:"));
    Ok((connect(&Remote { server, json: false }).await?, Some(child)))
}

/// Builds and deploys, and says what there is to call.
async fn deploy(project: &Path, client: &Client, is_first: bool) -> Result<TaskId> {
    let manifest = Manifest::read(project)?;
    let building = manifest.clone();
    // Blocks for as long as a compiler takes.
    let built = tokio::task::spawn_blocking(move || project::built(&building, true)).await??;
    let deployed = project::deploy_built(client, &manifest, built, true).await?;
    let name = manifest.name.as_str();
    if deployed.changed || is_first {
        print::text(format!("{name}: revision {} is in force", deployed.revision.number));
        for function in client.describe(name).await?.functions {
            print::text(format!("  {}", function.signature));
        }
    }
    Ok(deployed.task_id)
}

/// What has been shown of a task's executions.
#[derive(Debug, Default)]
struct Shown {
    last: Option<ExecutionId>,
    /// Ids, and the functions called.
    under_way: BTreeMap<String, String>,
}

impl Shown {
    /// What was called before is nobody's business now.
    async fn skip_earlier(&mut self, client: &Client, task: &TaskId) -> Result<()> {
        let filter = ExecutionFilter { task_id: Some(task.clone()), ..ExecutionFilter::default() };
        self.last = client.list_executions(&filter).await?.pop().map(|line| line.id);
        Ok(())
    }

    async fn show_new(&mut self, client: &Client, task: &TaskId) -> Result<()> {
        let filter = ExecutionFilter {
            task_id: Some(task.clone()),
            start_after: self.last.clone(),
            limit: Some(SHOWN_MAX),
            ..ExecutionFilter::default()
        };
        for line in client.list_executions(&filter).await? {
            self.under_way.insert(line.id.as_str().to_owned(), line.function);
            self.last = Some(line.id);
        }
        for (id, function) in self.under_way.clone() {
            let id = ExecutionId::parse(&id)?;
            let Some(report) = client.status(&id, false, true).await? else {
                self.under_way.remove(id.as_str());
                continue;
            };
            let status = &report.status;
            if !status.state.is_terminal() {
                continue;
            }
            let code = status.error_code.as_ref().map(|code| format!(" {code}: {}", status.error_message));
            let code = code.unwrap_or_default();
            print::text(format!(
                "{function} {} in {} ms ({id}){code}",
                status.state,
                status.duration.as_millis()
            ));
            for line in &report.logs {
                print::text(format!("  {line}"));
            }
            self.under_way.remove(id.as_str());
        }
        Ok(())
    }
}

/// When the newest of the files that somebody writes was changed, and how many
/// there are: a file that goes is a change too.
fn newest(folder: &Path, artifact: &Path) -> (SystemTime, usize) {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let Ok(metadata) = entry.metadata() else { continue };
            let name = name.to_string_lossy();
            if files >= FILES_MAX || name.starts_with('.') || is_made(&path, &name, artifact) {
                continue;
            }
            if metadata.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                newest = newest.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            }
        }
    }
    (newest, files)
}

/// Whether a file is made by a build.
fn is_made(path: &PathBuf, name: &str, artifact: &Path) -> bool {
    MADE.contains(&name)
        || path == artifact
        || name.ends_with(".wasm")
        || name.ends_with(".lock")
        || name == "package-lock.json"
}
