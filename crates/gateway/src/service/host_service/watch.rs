//! WatchExecution.

use crate::error::ApiError;
use crate::reply;
use futures::Stream;
use pilum_execution::{Executions, Runtime, Store, Update, Watch};
use pilum_proto::pilum::v1::WatchExecutionResponse;
use pilum_types::{ExecutionId, TenantId};
use tonic::Status;

/// Begins to watch an execution.
pub(super) async fn open<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    id: &str,
) -> Result<Watch<R, S>, ApiError> {
    let watch = match ExecutionId::parse(id) {
        Ok(id) => executions.query().watch(tenant, &id).await?,
        Err(_malformed) => None,
    };
    watch.ok_or_else(|| ApiError::ExecutionNotFound { id: id.to_owned() })
}

/// The updates of a watch as messages. Log lines, and how many were missed, are sent
/// only with `with_logs`.
pub(super) fn messages<R: Runtime, S: Store>(
    watch: Watch<R, S>,
    with_logs: bool,
) -> impl Stream<Item = Result<WatchExecutionResponse, Status>> {
    futures::stream::unfold(Some(watch), move |watch| async move {
        let mut watch = watch?;
        loop {
            let update = match watch.next().await {
                Ok(update) => update?,
                Err(error) => return Some((Err(Status::from(ApiError::from(error))), None)),
            };
            let message = match update {
                Update::Changed(execution) => WatchExecutionResponse {
                    status: Some(reply::status(&execution, true, with_logs)),
                    ..WatchExecutionResponse::default()
                },
                Update::Logged(_) | Update::Missed(_) if !with_logs => continue,
                Update::Logged(line) => WatchExecutionResponse {
                    log_line: reply::log_line(&line),
                    ..WatchExecutionResponse::default()
                },
                Update::Missed(missed) => WatchExecutionResponse {
                    missed: missed.try_into().unwrap_or(i64::MAX),
                    ..WatchExecutionResponse::default()
                },
            };
            return Some((Ok(message), Some(watch)));
        }
    })
}
