//! `pilum status`, `pilum cancel`, `pilum executions`.

use super::remote::connect;
use super::target::{execution_id, find_task};
use crate::cli::{Cancel, Executions, StateArg, Status};
use crate::terminal::exit::FAILED;
use crate::terminal::print;
use anyhow::{Result, bail};
use pilum_client::{ExecutionFilter, ExecutionLine};
use pilum_types::State;
use serde_json::{Map, Value as Json, json};
use std::process::ExitCode;

pub(super) async fn status(status: Status) -> Result<ExitCode> {
    let id = execution_id(&status.execution_id)?;
    let client = connect(&status.remote).await?;
    let Some(report) = client.status(&id, true, status.logs).await? else {
        bail!("there is no execution {id}; `pilum executions` lists the executions");
    };
    if status.remote.json {
        let mut fields = Map::new();
        fields.insert("execution_id".to_owned(), json!(id.as_str()));
        fields.extend(print::status_fields(&report.status));
        fields.extend(print::report_fields(&report));
        if status.logs {
            fields.insert("logs".to_owned(), json!(report.logs));
        }
        print::json(&fields.into());
    } else {
        print::report(&report);
        for line in &report.logs {
            print::remark(line);
        }
        if let Some(output) = &report.status.output {
            print::output(output);
        }
    }
    let failed = report.status.state.is_terminal() && report.status.state != State::Completed;
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

pub(super) async fn cancel(cancel: Cancel) -> Result<ExitCode> {
    let id = execution_id(&cancel.execution_id)?;
    let client = connect(&cancel.remote).await?;
    let cancelled = client.cancel(&id, &cancel.reason, cancel.force).await?;
    if cancel.remote.json {
        print::json(&json!({
            "execution_id": id.as_str(),
            "success": cancelled.success,
            "message": cancelled.message,
            "final_status": cancelled.state.as_str(),
        }));
    } else {
        print::text(format!("{}: {}", cancelled.state, cancelled.message));
    }
    Ok(if cancelled.success { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

pub(super) async fn list(list: Executions) -> Result<ExitCode> {
    let client = connect(&list.remote).await?;
    let task_id = match &list.task {
        Some(task) => Some(find_task(&client, task).await?),
        None => None,
    };
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let filter =
        ExecutionFilter { task_id, state: list.state.map(state), limit: Some(limit), start_after: None };
    let executions = client.list_executions(&filter).await?;
    if list.remote.json {
        let executions: Vec<Json> = executions.iter().map(as_json).collect();
        print::json(&json!({ "executions": executions }));
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["EXECUTION", "FUNCTION", "MODE", "STATE", "STARTED", "TOOK"].map(str::to_owned).to_vec();
    let rows = executions.iter().map(|execution| {
        vec![
            execution.id.to_string(),
            execution.function.clone(),
            mode(execution).to_owned(),
            execution.state.to_string(),
            execution.started_at.map_or_else(|| "-".to_owned(), print::ago),
            format!("{} ms", execution.duration.as_millis()),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}

fn as_json(execution: &ExecutionLine) -> Json {
    json!({
        "execution_id": execution.id.as_str(),
        "task_id": execution.task_id.as_str(),
        "function": execution.function,
        "mode": mode(execution),
        "status": execution.state.as_str(),
        "execution_time_ms": u64::try_from(execution.duration.as_millis()).unwrap_or(u64::MAX),
        "error_message": execution.error_message,
    })
}

fn mode(execution: &ExecutionLine) -> &'static str {
    if execution.asynchronous { "async" } else { "sync" }
}

fn state(state: StateArg) -> State {
    match state {
        StateArg::Pending => State::Pending,
        StateArg::Running => State::Running,
        StateArg::Completed => State::Completed,
        StateArg::Failed => State::Failed,
        StateArg::Cancelled => State::Cancelled,
        StateArg::Timeout => State::Timeout,
    }
}
