//! A result in pieces.

use crate::{ClientError, read};
use pilum_proto::spearlet::StreamExecutionResult;
use pilum_proto::value::output_from_any;
use pilum_types::{ExecutionId, Output, State};
use std::collections::BTreeMap;
use tonic::Streaming;

/// The pieces of a function's output as they come. Dropping it stops the guest.
#[derive(Debug)]
pub struct Chunks {
    messages: Streaming<StreamExecutionResult>,
    ended: bool,
}

/// A piece of a function's output, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// Bytes in order, or a typed result whole.
    Output(Output),
    /// The execution has ended; nothing follows.
    End {
        /// The execution.
        execution_id: ExecutionId,
        /// How it ended.
        state: State,
        /// What went wrong, if it failed.
        error_message: String,
        /// The receipt, `task_id`, and `error_code` if it failed.
        metadata: BTreeMap<String, String>,
    },
}

impl Chunks {
    pub(crate) fn new(messages: Streaming<StreamExecutionResult>) -> Self {
        Self { messages, ended: false }
    }

    /// The next piece; `None` after [`Chunk::End`].
    ///
    /// # Errors
    /// When the connection breaks, the host refuses, or the stream ends early.
    pub async fn next(&mut self) -> Result<Option<Chunk>, ClientError> {
        while !self.ended {
            let Some(message) = self.messages.message().await? else {
                return Err(ClientError::Answer("the stream ended before the execution did".to_owned()));
            };
            self.ended = message.is_final;
            if let Some(piece) = piece(message)? {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn piece(message: StreamExecutionResult) -> Result<Option<Chunk>, ClientError> {
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
