//! `pilum tasks`, `pilum describe` and `pilum delete`: the tasks of a host.

use super::remote::connect;
use crate::cli::{Delete, Describe, Tasks};
use crate::terminal::exit::FAILED;
use crate::terminal::print;
use anyhow::Result;
use pilum_client::{FunctionDescription, Revision, TaskDescription};
use serde_json::{Value as Json, json};
use std::process::ExitCode;

/// Characters of a digest in a table: `sha256:` and 16 hex digits.
const DIGEST_CHARS: usize = 23;

pub(super) async fn list(list: Tasks) -> Result<ExitCode> {
    let client = connect(&list.remote).await?;
    let tasks = client.list_tasks(&list.prefix).await?;
    if list.remote.json {
        let tasks: Vec<Json> = tasks
            .iter()
            .map(|task| {
                json!({
                    "task_id": task.id.as_str(),
                    "name": task.name,
                    "location": task.location,
                    "checksum": task.checksum,
                    "executions": task.execution_count,
                    "last_status": task.last_state.map(pilum_types::State::as_str),
                })
            })
            .collect();
        print::json(&json!({ "tasks": tasks }));
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["NAME", "TASK", "EXECUTIONS", "LAST", "LOCATION"].map(str::to_owned).to_vec();
    let rows = tasks.iter().map(|task| {
        vec![
            task.name.clone(),
            task.id.to_string(),
            task.execution_count.to_string(),
            task.last_state.map_or_else(|| "-".to_owned(), |state| state.to_string()),
            task.location.clone(),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn describe(describe: Describe) -> Result<ExitCode> {
    let task = connect(&describe.remote).await?.describe(&describe.task).await?;
    if describe.remote.json {
        print::json(&description_json(&task));
    } else {
        print_description(&task);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn delete(delete: Delete) -> Result<ExitCode> {
    let client = connect(&delete.remote).await?;
    let task = client.describe(&delete.task).await?;
    let deletion = client.delete_task(&task.id, delete.force, delete.force).await?;
    if delete.remote.json {
        print::json(&json!({ "task_id": task.id.as_str(), "deleted": deletion.deleted }));
    } else {
        print::text(format!("{}: {}", task.name, deletion.message));
    }
    Ok(if deletion.deleted { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// A revision as a JSON object.
pub(super) fn revision_json(revision: &Revision) -> Json {
    json!({
        "number": revision.number,
        "digest": revision.digest,
        "version": revision.version,
        "location": revision.location,
        "deployed_at": revision.deployed_at.map(print::time),
        "current": revision.is_current,
    })
}

fn description_json(task: &TaskDescription) -> Json {
    let schema = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    let function = |function: &FunctionDescription| {
        json!({
            "name": function.name,
            "signature": function.signature,
            "docs": function.docs,
            "schema": schema(&function.json_schema),
        })
    };
    json!({
        "task_id": task.id.as_str(),
        "name": task.name,
        "description": task.description,
        "kind": task.kind,
        "functions": task.functions.iter().map(function).collect::<Vec<_>>(),
        "imports": task.imports.iter().map(|i| json!({ "name": i.name, "granted": i.granted })).collect::<Vec<_>>(),
        "policy": task.policy.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        "revisions": task.revisions.iter().map(revision_json).collect::<Vec<_>>(),
    })
}

fn print_description(task: &TaskDescription) {
    print::text(format!("{}, {} ({})", task.name, task.kind, task.id));
    if !task.description.is_empty() {
        print::text(&task.description);
    }
    print::text("\nfunctions:");
    for function in &task.functions {
        for line in function.docs.lines() {
            print::text(format!("  /// {line}"));
        }
        print::text(format!("  {}", function.signature));
    }
    print::text(if task.imports.is_empty() { "\nimports: none" } else { "\nimports:" });
    for import in &task.imports {
        print::text(format!("  {}{}", import.name, if import.granted { "" } else { "  (not granted)" }));
    }
    if !task.policy.is_empty() {
        print::text("\npolicy:");
    }
    for (key, value) in &task.policy {
        print::text(format!("  {key} = {value}"));
    }
    print::text("\nrevisions:");
    let heads = ["", "NUMBER", "DEPLOYED", "VERSION", "DIGEST"].map(str::to_owned).to_vec();
    let rows = task.revisions.iter().map(|revision| {
        vec![
            if revision.is_current { "*" } else { "" }.to_owned(),
            revision.number.to_string(),
            revision.deployed_at.map_or_else(|| "-".to_owned(), print::time),
            revision.version.clone(),
            revision.digest.chars().take(DIGEST_CHARS).collect(),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
}
