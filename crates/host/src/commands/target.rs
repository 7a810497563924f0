//! What a command's argument means: a file, a location, a task or an execution.

use anyhow::{Context, Result, bail};
use pilum_client::Client;
use pilum_types::{ExecutionId, TaskId};
use std::path::{Path, PathBuf};

/// What the target of a call is.
pub(super) enum TargetKind {
    /// A file on this machine, which runs in this process.
    File,
    /// A location that the host can read.
    Location,
    /// A task of the host, by id or name.
    Task,
}

/// Tells from its text what `target` is.
pub(super) fn target_kind(target: &str) -> TargetKind {
    if ["file:", "http:", "https:"].iter().any(|scheme| target.starts_with(scheme)) {
        TargetKind::Location
    } else if target.contains('/') || Path::new(target).extension().is_some_and(|e| e == "wasm") {
        TargetKind::File
    } else {
        TargetKind::Task
    }
}

/// Finds a task by its id or its name.
pub(super) async fn find_task(client: &Client, wanted: &str) -> Result<TaskId> {
    if wanted.starts_with("task-") {
        return TaskId::parse(wanted).with_context(|| format!("the task id {wanted:?}"));
    }
    let tasks = client.list_tasks(wanted).await?;
    match tasks.into_iter().find(|task| task.name == wanted) {
        Some(task) => Ok(task.id),
        None => bail!("there is no task {wanted}; `pilum tasks` lists the tasks"),
    }
}

/// Reads the id of an execution.
pub(super) fn execution_id(text: &str) -> Result<ExecutionId> {
    ExecutionId::parse(text).with_context(|| format!("the execution id {text:?}"))
}

/// The folder of a file and the file itself, both absolute and without links.
pub(super) fn folder_and_file(file: &Path) -> Result<(PathBuf, PathBuf)> {
    let file = file.canonicalize().with_context(|| format!("the file {}", file.display()))?;
    let folder = file.parent().context("a file without a folder")?.to_owned();
    Ok((folder, file))
}

/// The `file:` location of a file.
pub(super) fn file_location(file: &Path) -> Result<String> {
    let url = url::Url::from_file_path(file);
    Ok(url.ok().with_context(|| format!("{} cannot be written as a location", file.display()))?.into())
}
