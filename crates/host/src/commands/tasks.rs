//! `pilum tasks`.

use super::{connect, print};
use crate::cli::Tasks;
use anyhow::Result;
use serde_json::{Value as Json, json};
use std::process::ExitCode;

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
