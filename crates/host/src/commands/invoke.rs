//! `pilum invoke`: a file here, or a task or location on a host.

use super::progress::Progress;
use super::{FAILED, connect, local, parameters, print, time};
use crate::cli::{Invoke, PriorityArg};
use anyhow::{Context, Result, bail, ensure};
use pilum_client::{Call, Chunk, Client, InvokeResult, Mode, NewTask, Target};
use pilum_types::{
    ArtifactSource, Digest, ExecutionId, FunctionName, Output, Priority, State, TaskId, TaskName,
};
use serde_json::{Map, json};
use sha2::Digest as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// What the target of a call is.
pub(super) enum Kind {
    /// A file that runs here.
    File,
    /// A location that the host can read.
    Location,
    /// A task of the host.
    Task,
}

pub(super) async fn run(invoke: Invoke) -> Result<ExitCode> {
    match kind(&invoke.target) {
        Kind::File => run_here(&invoke).await,
        Kind::Location => {
            let source =
                ArtifactSource { location: invoke.target.clone(), checksum: checksum(&invoke).await? };
            let target = Target::New(NewTask::new(task_name(&invoke)?, source));
            invoke_and_print(&connect(&invoke.remote).await?, target, &invoke).await
        }
        Kind::Task => {
            let client = connect(&invoke.remote).await?;
            let id = find_task(&client, &invoke.target).await?;
            invoke_and_print(&client, Target::Existing(id), &invoke).await
        }
    }
}

/// What `target` is meant to be.
pub(super) fn kind(target: &str) -> Kind {
    if ["file:", "http:", "https:"].iter().any(|scheme| target.starts_with(scheme)) {
        Kind::Location
    } else if target.contains('/') || Path::new(target).extension().is_some_and(|e| e == "wasm") {
        Kind::File
    } else {
        Kind::Task
    }
}

async fn run_here(invoke: &Invoke) -> Result<ExitCode> {
    ensure!(!invoke.asynchronous, "--async needs a host: start one with `pilum serve`");
    let (root, file) = local::located(Path::new(&invoke.target))?;
    let bytes = tokio::fs::read(&file).await.with_context(|| format!("the file {}", file.display()))?;
    let digest = Digest::from_bytes(sha2::Sha256::digest(&bytes).into());
    let location = url_of(&file)?;
    let target = NewTask::new(task_name(invoke)?, ArtifactSource { location, checksum: Some(digest) });
    let work = async |client: Client| invoke_and_print(&client, Target::New(target), invoke).await;
    local::with_host(&root, invoke.data_dir.clone(), work).await
}

/// A file as a location.
pub(super) fn url_of(file: &Path) -> Result<String> {
    let url = url::Url::from_file_path(file);
    Ok(url.ok().with_context(|| format!("{} cannot be written as a location", file.display()))?.into())
}

/// The name to register under: as given, or the file's without its ending.
fn task_name(invoke: &Invoke) -> Result<TaskName> {
    let name = match &invoke.task_name {
        Some(name) => name.clone(),
        None => {
            let path = invoke.target.split(['?', '#']).next().unwrap_or_default();
            let file = path.rsplit(['/', ':']).next().unwrap_or_default();
            file.strip_suffix(".wasm").unwrap_or(file).to_owned()
        }
    };
    TaskName::parse(&name).with_context(|| format!("the task name {name:?} (set another with --task-name)"))
}

/// The digest to ask for: as given; else that of a `file:` location which can
/// be read here; else none, which only some hosts allow.
async fn checksum(invoke: &Invoke) -> Result<Option<Digest>> {
    if let Some(text) = &invoke.checksum {
        return Ok(Some(text.parse().with_context(|| format!("--checksum {text:?}"))?));
    }
    let Some(path) = invoke.target.strip_prefix("file://") else { return Ok(None) };
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(Some(Digest::from_bytes(sha2::Sha256::digest(&bytes).into()))),
        Err(error) => {
            // The file may still be there for the host, on another machine.
            print::remark(format!(
                "{path} cannot be read here ({error}); without --checksum the host may refuse it"
            ));
            Ok(None)
        }
    }
}

/// A task by its id or its name.
pub(super) async fn find_task(client: &Client, wanted: &str) -> Result<TaskId> {
    if wanted.starts_with("task-") {
        return TaskId::parse(wanted).with_context(|| format!("the task id {wanted:?}"));
    }
    let tasks = client.list_tasks(wanted).await?;
    match tasks.into_iter().find(|task| task.name == wanted) {
        Some(task) => Ok(task.id),
        None => bail!("there is no task {wanted}; `pilum tasks` lists those there are"),
    }
}

async fn invoke_and_print(client: &Client, target: Target, invoke: &Invoke) -> Result<ExitCode> {
    let function = &invoke.function;
    let name = FunctionName::parse(function).with_context(|| format!("the function name {function:?}"))?;
    let mut call = Call::new(target, name)
        .parameters(parameters::read(&invoke.parameters)?)
        .mode(if invoke.asynchronous { Mode::Async } else { Mode::Sync })
        .environment(parameters::read_environment(&invoke.environment)?);
    if let Some(ms) = invoke.timeout_ms {
        call = call.timeout(Duration::from_millis(ms.into()));
    }
    if let Some(retries) = invoke.max_retries {
        call = call.retries(retries.into());
    }
    if let Some(id) = &invoke.execution_id {
        call = call.execution_id(ExecutionId::parse(id).with_context(|| format!("the execution id {id:?}"))?);
    }
    if let Some(priority) = invoke.priority {
        call = call.priority(match priority {
            PriorityArg::Low => Priority::Low,
            PriorityArg::Normal => Priority::Normal,
            PriorityArg::High => Priority::High,
            PriorityArg::Urgent => Priority::Urgent,
        });
    }
    if let Some(text) = &invoke.not_before {
        call = call.not_before(time::read(text)?);
    }
    if let Some(text) = &invoke.deadline {
        call = call.deadline(time::read(text)?);
    }
    if let Some(url) = &invoke.callback {
        call = call.callback(url);
    }
    if invoke.force_new_instance {
        call = call.force_new_instance();
    }
    if invoke.stream {
        return stream(client, call).await;
    }
    let waiting = Progress::spinner(!invoke.remote.json, format!("calling {function}"));
    let invoked = client.invoke(call).await;
    waiting.end();
    let invoked = invoked?;
    if invoke.remote.json {
        print_json(&invoked);
    } else {
        print_text(&invoked);
    }
    Ok(if invoked.success { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Prints the output as it comes.
async fn stream(client: &Client, call: Call) -> Result<ExitCode> {
    let mut chunks = client.stream(call).await?;
    while let Some(piece) = chunks.next().await? {
        match piece {
            Chunk::Output(Output::Raw(bytes)) => {
                print::write(&bytes);
            }
            Chunk::Output(typed) => print::output(&typed),
            Chunk::End { state, error_message, metadata, .. } => {
                if state == State::Completed {
                    return Ok(ExitCode::SUCCESS);
                }
                let code = metadata.get("error_code").map(String::as_str).unwrap_or_default();
                print::remark(format!("{state} {code}: {error_message}"));
            }
        }
    }
    Ok(ExitCode::from(FAILED))
}

fn print_json(invoked: &InvokeResult) {
    let mut fields = Map::new();
    fields.insert("execution_id".to_owned(), json!(invoked.execution_id.as_str()));
    fields.insert("task_id".to_owned(), json!(invoked.task_id.as_str()));
    fields.extend(print::status_fields(&invoked.status));
    if let Some(endpoint) = &invoked.status_endpoint {
        fields.insert("status_endpoint".to_owned(), json!(endpoint));
    }
    if let Some(estimate) = invoked.estimate {
        let ms = u64::try_from(estimate.as_millis()).unwrap_or(u64::MAX);
        fields.insert("estimated_completion_ms".to_owned(), json!(ms));
    }
    print::json(&fields.into());
}

fn print_text(invoked: &InvokeResult) {
    let status = &invoked.status;
    match (&status.output, &status.error_code) {
        (Some(output), _) => print::output(output),
        (None, Some(code)) => {
            print::remark(format!("{} {code}: {}", status.state, status.error_message));
            print::remark(format!("its log: pilum status {} --logs", invoked.execution_id));
        }
        (None, None) => {
            print::text(&invoked.execution_id);
            let estimate =
                invoked.estimate.map_or_else(String::new, |e| format!(", about {} ms to go", e.as_millis()));
            print::remark(format!(
                "{}{estimate}; follow it with: pilum watch {}",
                status.state, invoked.execution_id
            ));
        }
    }
}
