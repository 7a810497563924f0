//! `pilum dead-letters`: executions that failed for good.

use super::remote::connect;
use super::target::{execution_id, find_task};
use crate::cli::{DeadLetterList, DeadLetterPick, DeadLetters};
use crate::terminal::exit::FAILED;
use crate::terminal::print;
use anyhow::Result;
use pilum_client::{Client, ClientError, ExecutionLine};
use pilum_types::ExecutionId;
use serde_json::{Value as Json, json};
use std::process::ExitCode;

/// The longest error in the table, in characters: a line of the table then fits most
/// terminals.
const ERROR_CHARS_MAX: usize = 60;

pub(super) async fn run(letters: DeadLetters) -> Result<ExitCode> {
    match letters {
        DeadLetters::List(args) => list(args).await,
        DeadLetters::Redrive(pick) => {
            let redrive = async |client: &Client, id: &ExecutionId| client.redrive(id).await.map(Some);
            for_each(pick, "redriven_as", redrive).await
        }
        DeadLetters::Discard(pick) => {
            let discard = async |client: &Client, id: &ExecutionId| client.discard(id).await.map(|()| None);
            for_each(pick, "discarded", discard).await
        }
    }
}

async fn list(list: DeadLetterList) -> Result<ExitCode> {
    let client = connect(&list.remote).await?;
    let letters = find_all(&client, list.task.as_deref()).await?;
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
            first_line.chars().take(ERROR_CHARS_MAX).collect(),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}

/// Runs `work` for each dead letter that `pick` names. After an error it goes on with the
/// next one.
async fn for_each(
    pick: DeadLetterPick,
    done: &str,
    work: impl AsyncFn(&Client, &ExecutionId) -> Result<Option<ExecutionId>, ClientError>,
) -> Result<ExitCode> {
    let client = connect(&pick.remote).await?;
    let ids = if pick.all {
        find_all(&client, pick.task.as_deref()).await?.into_iter().map(|letter| letter.id).collect()
    } else {
        pick.execution_ids.iter().map(|id| execution_id(id)).collect::<Result<Vec<_>>>()?
    };
    let mut failed = false;
    for id in &ids {
        match (work(&client, id).await, pick.remote.json) {
            (Ok(new_id), true) => {
                let value = new_id.map_or(json!(true), |new_id| json!(new_id.as_str()));
                print::json(&json!({ "execution_id": id.as_str(), done: value }));
            }
            (Ok(Some(new_id)), false) => print::text(format!("{id} runs again as {new_id}")),
            (Ok(None), false) => print::text(format!("{id} is discarded")),
            (Err(error), _) => {
                failed = true;
                print::error(&anyhow::Error::from(error).context(id.to_string()));
            }
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

async fn find_all(client: &Client, task: Option<&str>) -> Result<Vec<ExecutionLine>> {
    let task = match task {
        Some(task) => Some(find_task(client, task).await?),
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
