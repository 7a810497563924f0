//! The messages of StreamFunction.

use super::execution::{any_of, output, result, status_number};
use pilum_execution::Execution;
use pilum_proto::spearlet::StreamExecutionResult;
use pilum_proto::value::raw_to_any;
use pilum_types::{ExecutionId, Output, State};
use prost_types::Any;

/// The longest chunk of a raw result, in bytes: short enough not to delay the other
/// streams of a connection, long enough to use the full speed of the network.
const CHUNK_MAX_BYTES: usize = 64 * 1024;

/// A chunk of output while the function runs.
pub(crate) fn chunk(id: &ExecutionId, bytes: &[u8]) -> StreamExecutionResult {
    StreamExecutionResult { chunk_data: Some(raw_to_any(bytes)), ..running(id) }
}

/// The messages after the function has ended: its result, unless that was streamed
/// already, and the final message.
pub(crate) fn last_messages(execution: &Execution) -> Vec<StreamExecutionResult> {
    let message = running(&execution.id);
    let chunks = match output(execution) {
        Some(Output::Raw(bytes) | Output::Response { body: bytes, .. }) => raw_chunks(bytes),
        Some(typed @ Output::Typed(_)) => any_of(typed).into_iter().collect(),
        None => Vec::new(),
    };
    let with_chunk = |chunk| StreamExecutionResult { chunk_data: Some(chunk), ..message.clone() };
    let mut messages: Vec<_> = chunks.into_iter().map(with_chunk).collect();

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

fn running(id: &ExecutionId) -> StreamExecutionResult {
    StreamExecutionResult {
        execution_id: id.to_string(),
        status: status_number(State::Running),
        ..StreamExecutionResult::default()
    }
}

fn raw_chunks(bytes: &[u8]) -> Vec<Any> {
    bytes.chunks(CHUNK_MAX_BYTES).map(raw_to_any).collect()
}
