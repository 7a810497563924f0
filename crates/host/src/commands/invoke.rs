//! `pilum invoke`: calls a function of a file on this machine, or of a task or location on
//! a host.

use super::local_host;
use super::remote::connect;
use super::target::{TargetKind, execution_id, file_location, find_task, folder_and_file, target_kind};
use crate::cli::{Invoke, PriorityArg};
use crate::terminal::exit::FAILED;
use crate::terminal::progress::Progress;
use crate::terminal::{parameters, print, time};
use anyhow::{Context, Result, ensure};
use pilum_client::{Call, Chunk, Client, InvokeResult, Mode, NewTask, Target};
use pilum_types::{ArtifactSource, Digest, FunctionName, Output, Priority, State, TaskName};
use serde_json::{Map, json};
use sha2::Digest as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub(super) async fn run(invoke: Invoke) -> Result<ExitCode> {
    match target_kind(&invoke.target) {
        TargetKind::File => run_here(&invoke).await,
        TargetKind::Location => {
            let source =
                ArtifactSource { location: invoke.target.clone(), checksum: checksum(&invoke).await? };
            let target = Target::New(NewTask::new(task_name(&invoke)?, source));
            invoke_and_print(&connect(&invoke.remote).await?, target, &invoke).await
        }
        TargetKind::Task => {
            let client = connect(&invoke.remote).await?;
            let id = find_task(&client, &invoke.target).await?;
            invoke_and_print(&client, Target::Existing(id), &invoke).await
        }
    }
}

async fn run_here(invoke: &Invoke) -> Result<ExitCode> {
    ensure!(!invoke.asynchronous, "--async needs a host: start one with `pilum serve`");
    let (root, file) = folder_and_file(Path::new(&invoke.target))?;
    let bytes = tokio::fs::read(&file).await.with_context(|| format!("the file {}", file.display()))?;
    let digest = Digest::from_bytes(sha2::Sha256::digest(&bytes).into());
    let location = file_location(&file)?;
    let target = NewTask::new(task_name(invoke)?, ArtifactSource { location, checksum: Some(digest) });
    let work = async |client: Client| invoke_and_print(&client, Target::New(target), invoke).await;
    local_host::with_host(&root, invoke.data_dir.clone(), work).await
}

/// The name of the task: the option's, or that of the file without its ending.
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

/// The checksum of a location: the option's, or the digest of a `file:` location that can
/// be read on this machine. Otherwise there is none, which only some hosts allow.
async fn checksum(invoke: &Invoke) -> Result<Option<Digest>> {
    if let Some(text) = &invoke.checksum {
        return Ok(Some(text.parse().with_context(|| format!("--checksum {text:?}"))?));
    }
    let Some(path) = invoke.target.strip_prefix("file://") else { return Ok(None) };
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(Some(Digest::from_bytes(sha2::Sha256::digest(&bytes).into()))),
        Err(error) => {
            // The host may run on another machine, where the file is.
            print::remark(format!(
                "{path} cannot be read here ({error}); without --checksum the host may refuse it"
            ));
            Ok(None)
        }
    }
}

async fn invoke_and_print(client: &Client, target: Target, invoke: &Invoke) -> Result<ExitCode> {
    let call = call(target, invoke)?;
    if invoke.stream {
        return print_stream(client, call).await;
    }
    let waiting = Progress::spinner(!invoke.remote.json, format!("calling {}", invoke.function));
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

/// The call that the options describe.
fn call(target: Target, invoke: &Invoke) -> Result<Call> {
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
        call = call.execution_id(execution_id(id)?);
    }
    if let Some(priority) = invoke.priority {
        call = call.priority(priority_of(priority));
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
    Ok(call)
}

fn priority_of(argument: PriorityArg) -> Priority {
    match argument {
        PriorityArg::Low => Priority::Low,
        PriorityArg::Normal => Priority::Normal,
        PriorityArg::High => Priority::High,
        PriorityArg::Urgent => Priority::Urgent,
    }
}

/// Calls the function and prints its output as it comes.
async fn print_stream(client: &Client, call: Call) -> Result<ExitCode> {
    let mut chunks = client.stream(call).await?;
    while let Some(chunk) = chunks.next().await? {
        match chunk {
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
