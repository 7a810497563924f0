//! Following an execution.

use crate::answer::Report;
use crate::client::Client;
use crate::{ClientError, read};
use pilum_proto::pilum::v1::{WatchExecutionRequest, WatchExecutionResponse};
use pilum_types::ExecutionId;
use tonic::Streaming;

/// News of an execution as they come.
#[derive(Debug)]
pub struct Watch {
    messages: Streaming<WatchExecutionResponse>,
    ended: bool,
}

/// News of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It stands like this now.
    Status(Box<Report>),
    /// It wrote this line, after the name of its stream.
    Line(String),
    /// This client was too slow for so many updates.
    Missed(u64),
}

impl Client {
    /// Follows an execution to its end, and what it writes if wanted.
    ///
    /// # Errors
    /// When the host refuses; `NotFound` for an unknown id.
    pub async fn watch(&self, id: &ExecutionId, include_logs: bool) -> Result<Watch, ClientError> {
        let request = WatchExecutionRequest { execution_id: id.to_string(), include_logs };
        let messages = self.host().watch_execution(request).await?.into_inner();
        Ok(Watch { messages, ended: false })
    }
}

impl Watch {
    /// The next news: first how it stands, last how it ended, then `None`.
    ///
    /// # Errors
    /// When the connection breaks or the stream ends before the execution: then
    /// the execution can be watched anew.
    pub async fn next(&mut self) -> Result<Option<News>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let Some(message) = self.messages.message().await? else {
            return Err(ClientError::Answer("the stream ended before the execution did".to_owned()));
        };
        Ok(Some(match message {
            WatchExecutionResponse { status: Some(status), .. } => {
                let report = read::report(status)?;
                let report = report.ok_or_else(|| ClientError::Answer("news of nothing".to_owned()))?;
                self.ended = report.status.state.is_terminal();
                News::Status(Box::new(report))
            }
            WatchExecutionResponse { log_line, missed: 0, .. } => News::Line(log_line),
            WatchExecutionResponse { missed, .. } => News::Missed(missed.try_into().unwrap_or(0)),
        }))
    }
}
