//! `pilum dev`: builds and deploys a function whenever it changes, and shows its calls.

mod calls;
mod changes;
mod own_host;

use self::calls::ShownCalls;
use self::changes::SourceState;
use self::own_host::OwnHost;
use super::remote::connect;
use super::{deploy, project};
use crate::cli::{Dev, Remote};
use crate::terminal::print;
use anyhow::{Context, Result};
use pilum_client::Client;
use pilum_project::Manifest;
use pilum_types::TaskId;
use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The pause between two looks at files and executions: short enough that a change seems
/// to be seen at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The signals that end this command.
struct Signals([Signal; 3]);

pub(super) async fn run(dev: Dev) -> Result<ExitCode> {
    // From here on, a signal does not end the process before its own host has ended.
    let mut signals = Signals::new()?;
    let manifest = Manifest::read(&dev.project)?;
    let (client, own_host) = tokio::select! {
        host = find_or_start_host(&dev, project::folder(&dev.project)) => host?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        failed = watch(&dev, &client, &manifest) => failed.map(|never| match never {}),
        () = signals.next() => Ok(ExitCode::SUCCESS),
    };
    if let Some(own_host) = own_host {
        own_host.end().await;
    }
    ended
}

impl Signals {
    fn new() -> Result<Self> {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hang_up?]))
    }

    /// Waits for the next signal.
    async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// The host that answers at the address, or a host that this command starts there.
async fn find_or_start_host(dev: &Dev, folder: &Path) -> Result<(Client, Option<OwnHost>)> {
    if let Ok(client) = connect(&Remote { server: dev.server.clone(), json: false }).await {
        return Ok((client, None));
    }
    let host = OwnHost::start(dev, folder).await?;
    print::remark(host.ready_line.replace("pilum ready", "started a host:"));
    Ok((connect(&Remote { server: host.server.clone(), json: false }).await?, Some(host)))
}

/// Builds and deploys after each change, and shows calls, until the host does not answer
/// any more.
async fn watch(dev: &Dev, client: &Client, manifest: &Manifest) -> Result<Infallible> {
    let folder = project::folder(&dev.project);
    print::remark(format!("watching {}; stop with ctrl-c", folder.display()));
    let mut calls = ShownCalls::default();
    let mut seen = None;
    let mut task = None;
    loop {
        let now = SourceState::read(folder, &manifest.artifact);
        if seen != Some(now) {
            seen = Some(now);
            match build_and_deploy(&dev.project, client, task.is_none()).await {
                Ok(id) if task.is_none() => {
                    calls.skip_earlier(client, &id).await?;
                    task = Some(id);
                }
                Ok(_known) => {}
                Err(error) => print::error(&error),
            }
        }
        if let Some(id) = &task {
            calls.show_new(client, id).await.context("the host does not answer any more")?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Builds and deploys, and prints the functions that can be called.
async fn build_and_deploy(project: &Path, client: &Client, is_first: bool) -> Result<TaskId> {
    let manifest = Manifest::read(project)?;
    let building = manifest.clone();
    // Blocks for as long as a compiler takes.
    let built = tokio::task::spawn_blocking(move || project::build_shown(&building, true)).await??;
    let deployed = deploy::deploy_built(client, &manifest, built, true).await?;
    let name = manifest.name.as_str();
    if deployed.changed || is_first {
        print::text(format!("{name}: revision {} is active", deployed.revision.number));
        for function in client.describe(name).await?.functions {
            print::text(format!("  {}", function.signature));
        }
    }
    Ok(deployed.task_id)
}
