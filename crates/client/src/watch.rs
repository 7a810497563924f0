//! Watches an execution until it ends.

use crate::answer::Report;
use crate::client::Client;
use crate::error::{ClientError, answer, status_error};
use crate::read;
use pilum_proto::pilum::v1::{WatchExecutionRequest, WatchExecutionResponse};
use pilum_types::ExecutionId;
use tonic::Streaming;

/// The updates of an execution as they come. Dropping this ends the watch, not the
/// execution.
#[derive(Debug)]
pub struct Watch {
    messages: Streaming<WatchExecutionResponse>,
    ended: bool,
}

/// An update of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// The status has changed to this. The first and the last update are of this kind.
    Status(Box<Report>),
    /// The execution wrote this log line; the line follows the name of its stream.
    Line(String),
    /// The host left out so many updates because this client read too slowly.
    Missed(u64),
}

impl Client {
    /// Watches an execution until it ends; with `include_logs` also each log line when the
    /// execution writes it.
    ///
    /// # Errors
    /// When the host answers with an error; `NotFound` for an unknown id.
    pub async fn watch(&self, id: &ExecutionId, include_logs: bool) -> Result<Watch, ClientError> {
        let request = WatchExecutionRequest { execution_id: id.to_string(), include_logs };
        let messages = answer(self.host_service().watch_execution(request).await)?;
        Ok(Watch { messages, ended: false })
    }
}

impl Watch {
    /// The next update. The first one has the present status, the last one has the
    /// terminal status; `None` follows.
    ///
    /// # Errors
    /// When the connection breaks, or the stream ends before the execution. The execution
    /// can then be watched again.
    pub async fn next(&mut self) -> Result<Option<Update>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let Some(message) = self.messages.message().await.map_err(status_error)? else {
            return Err(ClientError::Answer("the stream ended before the execution did".to_owned()));
        };
        Ok(Some(match message {
            WatchExecutionResponse { status: Some(status), .. } => {
                let report = read::report(status)?;
                let report = report
                    .ok_or_else(|| ClientError::Answer("an update of an unknown execution".to_owned()))?;
                self.ended = report.status.state.is_terminal();
                Update::Status(Box::new(report))
            }
            WatchExecutionResponse { log_line, missed: 0, .. } => Update::Line(log_line),
            WatchExecutionResponse { missed, .. } => Update::Missed(missed.try_into().unwrap_or(0)),
        }))
    }
}
