//! `pilum watch`: follows an execution to its end.

use super::remote::connect;
use super::target::execution_id;
use crate::cli::Watch;
use crate::terminal::exit::FAILED;
use crate::terminal::print;
use anyhow::Result;
use pilum_client::{Client, ClientError, Code, Report, Update};
use pilum_types::{ExecutionId, State};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// How many times in a row the command reconnects after a broken stream. Hosts close old
/// connections on purpose.
const RECONNECTS_MAX: u32 = 5;
/// The pause before the first reconnect. Before the n-th in a row it is n times as long.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(watch: Watch) -> Result<ExitCode> {
    let id = execution_id(&watch.execution_id)?;
    let client = connect(&watch.remote).await?;
    let end = follow(&client, &id, watch.logs, |news| tell(&id, news, watch.remote.json)).await?;
    if let Some(output) = end.status.output.as_ref().filter(|_| !watch.remote.json) {
        print::output(output);
    }
    let completed = end.status.state == State::Completed;
    Ok(if completed { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Follows an execution to its end, and reconnects when the connection breaks.
async fn follow(
    client: &Client,
    id: &ExecutionId,
    logs: bool,
    mut tell: impl FnMut(&Update),
) -> Result<Report> {
    let mut broken = 0;
    let mut last: Option<Update> = None;
    loop {
        let error = match client.watch(id, logs).await {
            Err(error) => error,
            Ok(mut watch) => loop {
                match watch.next().await {
                    Err(error) => break error,
                    Ok(None) => {
                        break ClientError::Answer("the stream ended before the execution did".to_owned());
                    }
                    Ok(Some(news)) => {
                        broken = 0;
                        // After a reconnect the stream begins with the state that was shown last.
                        if last.as_ref() != Some(&news) {
                            tell(&news);
                        }
                        if let Update::Status(report) = &news {
                            if report.status.state.is_terminal() {
                                return Ok((**report).clone());
                            }
                            last = Some(news);
                        }
                    }
                }
            },
        };
        broken += 1;
        if broken > RECONNECTS_MAX || !may_pass(&error) {
            return Err(error.into());
        }
        tokio::time::sleep(RECONNECT_PAUSE * broken).await;
    }
}

/// Whether the same request may succeed later. A request that the host refused is refused
/// again.
fn may_pass(error: &ClientError) -> bool {
    !matches!(error.code(), Some(Code::NotFound | Code::InvalidArgument | Code::Unauthenticated))
}

fn tell(id: &ExecutionId, news: &Update, as_json: bool) {
    match news {
        Update::Status(report) if as_json => {
            let mut fields = print::status_fields(&report.status);
            fields.insert("execution_id".to_owned(), json!(id.as_str()));
            fields.extend(print::report_fields(report));
            print::json(&fields.into());
        }
        Update::Line(line) if as_json => print::json(&json!({ "log_line": line })),
        Update::Missed(missed) if as_json => print::json(&json!({ "missed": missed })),
        Update::Status(report) => print::report(report),
        Update::Line(line) => print::remark(line),
        Update::Missed(missed) => print::remark(format!("({missed} updates were missed)")),
    }
}
