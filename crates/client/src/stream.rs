//! The output of a function in chunks.

use crate::error::{ClientError, status_error};
use crate::read;
use pilum_proto::spearlet::StreamExecutionResult;
use pilum_proto::value::output_from_any;
use pilum_types::{ExecutionId, Output, State};
use std::collections::BTreeMap;
use tonic::Streaming;

/// The chunks of a function's output as they come. Dropping this stops the guest.
#[derive(Debug)]
pub struct Chunks {
    messages: Streaming<StreamExecutionResult>,
    ended: bool,
}

/// A chunk of a function's output, or the end of the execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// The next bytes of the output, or a whole typed result.
    Output(Output),
    /// The execution has ended; nothing follows.
    End {
        /// The id of the execution.
        execution_id: ExecutionId,
        /// The terminal state.
        state: State,
        /// Why it failed; empty if it completed.
        error_message: String,
        /// What the last attempt used (as in [`crate::Status::metrics`]), `task_id`, and
        /// `error_code` if it failed.
        metadata: BTreeMap<String, String>,
    },
}

impl Chunks {
    pub(crate) fn new(messages: Streaming<StreamExecutionResult>) -> Self {
        Self { messages, ended: false }
    }

    /// The next chunk; `None` after [`Chunk::End`].
    ///
    /// # Errors
    /// When the connection breaks, the host answers with an error, or the stream ends
    /// before the execution.
    pub async fn next(&mut self) -> Result<Option<Chunk>, ClientError> {
        while !self.ended {
            let Some(message) = self.messages.message().await.map_err(status_error)? else {
                return Err(ClientError::Answer("the stream ended before the execution did".to_owned()));
            };
            self.ended = message.is_final;
            if let Some(chunk) = chunk(message)? {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

/// The chunk in a message; `None` if the message has neither output nor the end.
fn chunk(message: StreamExecutionResult) -> Result<Option<Chunk>, ClientError> {
    if message.is_final {
        return Ok(Some(Chunk::End {
            execution_id: read::execution_id(&message.execution_id)?,
            state: read::known_state(message.status)?,
            error_message: message.error_message,
            metadata: message.metadata,
        }));
    }
    let output = message.chunk_data.as_ref().map(output_from_any).transpose();
    let output = output.map_err(|error| ClientError::Answer(format!("a chunk {error}")))?;
    Ok(output.map(Chunk::Output))
}
