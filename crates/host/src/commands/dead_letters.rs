//! `pilum dead-letters`.

use super::executions::execution_id;
use super::{FAILED, connect, invoke, print};
use crate::cli::{DeadLetterList, DeadLetterPick, DeadLetters};
use anyhow::Result;
use pilum_client::{Client, ClientError, ExecutionLine};
use pilum_types::ExecutionId;
use serde_json::{Value as Json, json};
use std::process::ExitCode;

/// Longest error shown in the table, in characters.
const ERROR_WIDTH: usize = 60;

pub(super) async fn run(letters: DeadLetters) -> Result<ExitCode> {
    match letters {
        DeadLetters::List(list) => show(list).await,
        DeadLetters::Redrive(pick) => {
            let redrive = async |client: &Client, id: &ExecutionId| client.redrive(id).await.map(Some);
            each(pick, "redriven_as", redrive).await
        }
        DeadLetters::Discard(pick) => {
            let discard = async |client: &Client, id: &ExecutionId| client.discard(id).await.map(|()| None);
            each(pick, "discarded", discard).await
        }
    }
}

async fn show(list: DeadLetterList) -> Result<ExitCode> {
    let client = connect(&list.remote).await?;
    let letters = all(&client, list.task.as_deref()).await?;
    if list.remote.json {
        let letters: Vec<Json> = letters.iter().map(as_json).collect();
        print::json(&json!({ "dead_letters": letters }));
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["EXECUTION", "FUNCTION", "ATTEMPTS", "ENDED", "CODE", "ERROR"].map(str::to_owned).to_vec();
    let rows = letters.iter().map(|letter| {
        let of = |key: &str| letter.metadata.get(key).cloned().unwrap_or_default();
        let first_line = letter.error_message.lines().next().unwrap_or_default();
        vec![
            letter.id.to_string(),
            letter.function.clone(),
            of("attempts"),
            letter.completed_at.map(print::ago).unwrap_or_default(),
            of("error_code"),
            first_line.chars().take(ERROR_WIDTH).collect(),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}

/// Does something to each that is meant. One that does not work does not keep
/// the others from theirs.
async fn each(
    pick: DeadLetterPick,
    done: &str,
    work: impl AsyncFn(&Client, &ExecutionId) -> Result<Option<ExecutionId>, ClientError>,
) -> Result<ExitCode> {
    let client = connect(&pick.remote).await?;
    let ids = if pick.all {
        all(&client, pick.task.as_deref()).await?.into_iter().map(|letter| letter.id).collect()
    } else {
        pick.execution_ids.iter().map(|id| execution_id(id)).collect::<Result<Vec<_>>>()?
    };
    let mut failed = false;
    for id in &ids {
        match (work(&client, id).await, pick.remote.json) {
            (Ok(anew), true) => {
                let value = anew.map_or(json!(true), |anew| json!(anew.as_str()));
                print::json(&json!({ "execution_id": id.as_str(), done: value }));
            }
            (Ok(Some(anew)), false) => print::text(format!("{id} runs anew as {anew}")),
            (Ok(None), false) => print::text(format!("{id} is off the list")),
            (Err(error), _) => {
                failed = true;
                print::error(&anyhow::Error::from(error).context(id.to_string()));
            }
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

async fn all(client: &Client, task: Option<&str>) -> Result<Vec<ExecutionLine>> {
    let task = match task {
        Some(task) => Some(invoke::find_task(client, task).await?),
        None => None,
    };
    Ok(client.dead_letters(task.as_ref()).await?)
}

fn as_json(letter: &ExecutionLine) -> Json {
    json!({
        "execution_id": letter.id.as_str(),
        "task_id": letter.task_id.as_str(),
        "function": letter.function,
        "attempts": letter.metadata.get("attempts"),
        "error_code": letter.metadata.get("error_code"),
        "error_message": letter.error_message,
    })
}
