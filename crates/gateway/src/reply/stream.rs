//! The answer to StreamFunction.
//!
//! The call has ended by the time its chunks are made: delivery is in pieces,
//! execution is not yet.

use super::execution::{any_of, output, result, status_number};
use pilum_execution::Execution;
use pilum_proto::spearlet::StreamExecutionResult;
use pilum_types::{Output, State};
use prost_types::Any;

/// The largest piece of a raw result, in bytes: small enough not to hold up the
/// other streams of a connection, large enough to fill a link.
const CHUNK_MAX_BYTES: usize = 64 * 1024;

/// Messages to send: the result in pieces, then the final one.
pub(crate) fn chunks(execution: &Execution) -> Vec<StreamExecutionResult> {
    let message = StreamExecutionResult {
        execution_id: execution.id.to_string(),
        status: status_number(State::Running),
        ..StreamExecutionResult::default()
    };
    let pieces = match output(execution) {
        Some(Output::Raw(bytes)) => raw(bytes),
        Some(typed @ Output::Typed(_)) => any_of(typed).into_iter().collect(),
        None => Vec::new(),
    };
    let chunk = |piece| StreamExecutionResult { chunk_data: Some(piece), ..message.clone() };
    let mut messages: Vec<_> = pieces.into_iter().map(chunk).collect();

    let result = result(execution, true);
    let mut metadata = result.metrics;
    metadata.insert("task_id".to_owned(), execution.task_id.to_string());
    if !result.error_code.is_empty() {
        metadata.insert("error_code".to_owned(), result.error_code);
    }
    messages.push(StreamExecutionResult {
        status: result.status,
        is_final: true,
        error_message: result.error_message,
        metadata,
        ..message
    });
    messages
}

fn raw(bytes: &[u8]) -> Vec<Any> {
    bytes.chunks(CHUNK_MAX_BYTES).filter_map(|piece| any_of(&Output::Raw(piece.to_vec()))).collect()
}
