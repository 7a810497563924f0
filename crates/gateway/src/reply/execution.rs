//! An execution as a message: the response to a call, its result, its line in a listing.

use super::numbers::{count, long};
use crate::text::clip;
use pilum_execution::{Attempt, Execution, Mode, Summary};
use pilum_proto::pilum::v1::Attempt as WireAttempt;
use pilum_proto::spearlet::{
    ExecutionInfo, ExecutionMode, ExecutionResult, ExecutionStatus, GetExecutionStatusResponse,
    InvokeFunctionResponse,
};
use pilum_proto::value::output_to_any;
use pilum_types::{FailureCode, LogLine, Output, Priority, State, Usage};
use prost_types::{Any, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Longest error text in a listing, in bytes, so that a full page stays small.
const LISTED_ERROR_MAX_BYTES: usize = 1024;
/// Longest error text in the short message of a response, in bytes.
const SHORT_ERROR_MAX_BYTES: usize = 200;

/// The response to a synchronous call.
pub(crate) fn finished(execution: &Execution) -> InvokeFunctionResponse {
    let result = result(execution, true);
    InvokeFunctionResponse {
        success: execution.state == State::Completed && result.error_code.is_empty(),
        message: summary(execution),
        execution_id: execution.id.as_str().to_owned(),
        task_id: execution.task_id.as_str().to_owned(),
        instance_id: instance_id(execution),
        result: Some(result),
        status_endpoint: String::new(),
        estimated_completion_ms: 0,
    }
}

/// The response to an asynchronous submission. If the same submission was made before,
/// its execution may have ended already.
pub(crate) fn pending(execution: &Execution, estimate: Duration) -> InvokeFunctionResponse {
    let response = finished(execution);
    let ended = execution.state.is_terminal();
    InvokeFunctionResponse {
        success: response.success || !ended,
        status_endpoint: status_path(execution.id.as_str()),
        estimated_completion_ms: if ended { 0 } else { estimate_ms(estimate) },
        ..response
    }
}

/// The status of an execution; with `with_output` also what the function returned.
pub(crate) fn result(execution: &Execution, with_output: bool) -> ExecutionResult {
    let usage = usage(execution);
    let (error_code, error_message) = match execution.failure() {
        Some(failure) => (failure.code.as_str(), failure.message.clone()),
        None => ("", String::new()),
    };
    let mut message = ExecutionResult {
        status: status_number(execution.state),
        result: None,
        error_message,
        error_code: error_code.to_owned(),
        execution_time_ms: long(execution.duration().as_millis()),
        memory_used_bytes: long(usage.peak_memory_bytes),
        metrics: metrics(&usage),
        started_at: execution.started_at.map(timestamp),
        completed_at: execution.completed_at.map(timestamp),
    };
    if let Some(Output::Response { status, .. }) = output(execution) {
        message.metrics.insert("http_status".to_owned(), status.to_string());
    }
    if let Some(output) = output(execution).filter(|_| with_output) {
        match output_to_any(output) {
            Ok(any) => message.result = Some(any),
            Err(error) => {
                message.error_code = FailureCode::ResultTooLarge.as_str().to_owned();
                message.error_message = format!("the function returned, but its result {error}");
            }
        }
    }
    message
}

/// What the function returned; `None` until it has returned.
pub(super) fn output(execution: &Execution) -> Option<&Output> {
    execution.outcome.as_ref().and_then(|outcome| outcome.result.as_ref().ok())
}

/// What the last attempt used; zeros until an attempt has ended.
pub(super) fn usage(execution: &Execution) -> Usage {
    execution.outcome.as_ref().map(|outcome| outcome.usage).unwrap_or_default()
}

/// A usage as decimal strings; empty for an execution that never ran.
pub(crate) fn metrics(usage: &Usage) -> BTreeMap<String, String> {
    if usage.attempt == 0 {
        return BTreeMap::new();
    }
    let micros = |duration: Duration| micros(duration).to_string();
    let mut metrics = BTreeMap::new();
    let mut put = |name: &str, value| metrics.insert(name.to_owned(), value);
    put("acquire_us", micros(usage.acquire));
    put("attempt", usage.attempt.to_string());
    put("guest_us", micros(usage.guest));
    put("instance_calls", usage.instance_calls.to_string());
    put("peak_memory_bytes", usage.peak_memory_bytes.to_string());
    put("queue_wait_us", micros(usage.queue_wait));
    if let Some(fuel) = usage.fuel_consumed {
        put("fuel_consumed", fuel.to_string());
    }
    metrics
}

/// A duration in microseconds. More than half a million years saturate.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// An execution's line in a listing.
pub(crate) fn execution_info(listed: &Summary) -> ExecutionInfo {
    let mut metadata = BTreeMap::from([("attempts".to_owned(), listed.attempts.to_string())]);
    let mut put = |name: &str, text: &str| metadata.insert(name.to_owned(), text.to_owned());
    if let Some(failure) = &listed.failure {
        put("error_code", failure.code.as_str());
    }
    if listed.priority != Priority::Normal {
        put("priority", listed.priority.as_str());
    }
    if listed.is_dead_letter {
        put("dead_letter", "true");
    }
    let message = listed.failure.as_ref().map_or("", |failure| failure.message.as_str());
    ExecutionInfo {
        execution_id: listed.id.to_string(),
        task_id: listed.task_id.to_string(),
        function_name: listed.function.to_string(),
        execution_mode: mode(listed.mode).into(),
        status: status_number(listed.state),
        started_at: listed.started_at.map(timestamp),
        completed_at: listed.completed_at.map(timestamp),
        execution_time_ms: long(listed.duration().as_millis()),
        memory_used_bytes: long(listed.peak_memory_bytes),
        error_message: clip(message, LISTED_ERROR_MAX_BYTES),
        metadata,
    }
}

/// The response to GetExecutionStatus, with the parts that the caller asked for.
pub(crate) fn status(
    execution: &Execution,
    with_output: bool,
    with_logs: bool,
) -> GetExecutionStatusResponse {
    let log = execution.outcome.as_ref().map(|outcome| outcome.log.as_slice()).unwrap_or_default();
    GetExecutionStatusResponse {
        found: true,
        result: Some(result(execution, with_output)),
        logs: if with_logs { log.iter().map(log_line).collect() } else { Vec::new() },
        message: execution.state.as_str().to_ascii_lowercase(),
        attempts: execution.attempts.iter().map(attempt).collect(),
        queue_position: execution.queue_position.map_or(0, |position| long(position as u64)),
        is_dead_letter: execution.is_dead_letter,
    }
}

/// A log line after the name of its stream.
pub(crate) fn log_line(line: &LogLine) -> String {
    format!("{}: {}", line.stream.as_str(), line.text)
}

fn attempt(attempt: &Attempt) -> WireAttempt {
    let failure = attempt.failure.as_ref();
    WireAttempt {
        number: count(attempt.number),
        started_at: Some(timestamp(attempt.started_at)),
        took_ms: attempt.took.map_or(0, |took| long(took.as_millis())),
        error_code: failure.map(|failure| failure.code.as_str().to_owned()).unwrap_or_default(),
        error_message: failure
            .map(|failure| clip(&failure.message, LISTED_ERROR_MAX_BYTES))
            .unwrap_or_default(),
        instance_id: attempt.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// A state's number on the wire.
pub(crate) fn status_number(state: State) -> i32 {
    let status = match state {
        State::Pending => ExecutionStatus::Pending,
        State::Running => ExecutionStatus::Running,
        State::Completed => ExecutionStatus::Completed,
        State::Failed => ExecutionStatus::Failed,
        State::Cancelled => ExecutionStatus::Cancelled,
        State::Timeout => ExecutionStatus::Timeout,
    };
    status.into()
}

/// A wall-clock time on the wire.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

/// A typed result, unless it nests too deep for the wire.
pub(super) fn any_of(output: &Output) -> Option<Any> {
    output_to_any(output).ok()
}

/// An estimate in milliseconds, at least 1 because 0 means that there is none.
fn estimate_ms(estimate: Duration) -> i64 {
    long(estimate.as_millis()).max(1)
}

/// The path at which the HTTP listener serves an execution's status.
pub(crate) fn status_path(id: &str) -> String {
    format!("/api/v1/execution/{id}/status")
}

/// How an execution stands, in one line for people.
fn summary(execution: &Execution) -> String {
    match (execution.state, execution.failure()) {
        (State::Pending, _) => "accepted, waiting to run".to_owned(),
        (State::Running, _) => "accepted, running".to_owned(),
        (State::Completed, _) => format!("completed in {} ms", execution.duration().as_millis()),
        (State::Failed | State::Cancelled | State::Timeout, Some(failure)) => {
            let first_line = failure.message.lines().next().unwrap_or_default();
            format!("{}: {}", failure.code, clip(first_line, SHORT_ERROR_MAX_BYTES))
        }
        (state @ (State::Failed | State::Cancelled | State::Timeout), None) => {
            state.as_str().to_ascii_lowercase()
        }
    }
}

fn instance_id(execution: &Execution) -> String {
    let instance = execution.outcome.as_ref().and_then(|outcome| outcome.instance.as_ref());
    instance.map(|id| id.as_str().to_owned()).unwrap_or_default()
}

fn mode(mode: Mode) -> ExecutionMode {
    match mode {
        Mode::Sync => ExecutionMode::Sync,
        Mode::Async => ExecutionMode::Async,
        // The wire has no mode of its own for a request to an http handler.
        Mode::Stream | Mode::Http => ExecutionMode::Stream,
    }
}
