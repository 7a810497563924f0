//! An execution as JSON: what the HTTP status endpoint and callbacks send.

use crate::reply::{metrics, timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_execution::{Attempt, Execution, Mode};
use pilum_types::{Output, Value};
use serde::Serialize;
use serde_json::{Map, Number};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The largest whole number up to which every JSON reader is exact.
const EXACT_MAX: u64 = 1 << 53;

/// An execution as JSON.
// More than 12 fields because it is one flat JSON object, and its form is fixed.
#[derive(Debug, Serialize)]
pub(super) struct ExecutionJson {
    execution_id: String,
    task_id: String,
    function_name: String,
    mode: &'static str,
    status: &'static str,
    /// What the function returned; null until it has returned.
    result: serde_json::Value,
    /// The form of `result`: `json` for a typed function; for a command `text`, or
    /// `base64` where its output is not UTF-8.
    result_encoding: Option<&'static str>,
    /// Whether a result exists that is left out because it is too long.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    result_omitted: bool,
    error_code: Option<&'static str>,
    error_message: Option<String>,
    instance_id: Option<String>,
    accepted_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    execution_time_ms: u64,
    memory_used_bytes: u64,
    metrics: BTreeMap<String, String>,
    attempts: Vec<AttemptJson>,
    priority: &'static str,
    /// While it waits in the queue: about where, 1 is next.
    queue_position: Option<usize>,
    dead_letter: bool,
}

#[derive(Debug, Serialize)]
struct AttemptJson {
    number: u32,
    started_at: String,
    took_ms: Option<u64>,
    error_code: Option<&'static str>,
    error_message: Option<String>,
    instance_id: Option<String>,
}

impl ExecutionJson {
    /// The same without its result; `result_omitted` says that there was one.
    fn without_result(self) -> Self {
        let result_omitted = !self.result.is_null();
        Self { result: serde_json::Value::Null, result_encoding: None, result_omitted, ..self }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let written = serde_json::to_vec(self);
        assert!(written.is_ok(), "strings, numbers and lists of them can always be written as JSON");
        written.unwrap_or_default()
    }
}

/// An execution as the status endpoint shows it, in UTF-8. The result is left out if
/// the whole would be longer than `max_bytes`.
pub fn status_json(execution: &Execution, max_bytes: usize) -> Vec<u8> {
    let json = execution_json(execution);
    let whole = json.to_bytes();
    if whole.len() <= max_bytes { whole } else { json.without_result().to_bytes() }
}

/// An execution as JSON.
pub(super) fn execution_json(execution: &Execution) -> ExecutionJson {
    let outcome = execution.outcome.as_ref();
    let output = outcome.and_then(|outcome| outcome.result.as_ref().ok());
    let (result, result_encoding) = output.map_or((serde_json::Value::Null, None), result);
    let usage = outcome.map(|outcome| outcome.usage).unwrap_or_default();
    let failure = execution.failure();
    ExecutionJson {
        execution_id: execution.id.to_string(),
        task_id: execution.task_id.to_string(),
        function_name: execution.function.to_string(),
        mode: match execution.mode {
            Mode::Sync => "SYNC",
            Mode::Async => "ASYNC",
            // The wire has no mode of its own for a request to an http handler.
            Mode::Stream | Mode::Http => "STREAM",
        },
        status: execution.state.as_str(),
        result,
        result_encoding,
        result_omitted: false,
        error_code: failure.map(|failure| failure.code.as_str()),
        error_message: failure.map(|failure| failure.message.clone()),
        instance_id: outcome.and_then(|outcome| outcome.instance.as_ref()).map(ToString::to_string),
        accepted_at: rfc3339(execution.accepted_at),
        started_at: execution.started_at.map(rfc3339),
        completed_at: execution.completed_at.map(rfc3339),
        execution_time_ms: millis(execution.duration()),
        memory_used_bytes: usage.peak_memory_bytes,
        metrics: metrics(&usage),
        attempts: execution.attempts.iter().map(attempt).collect(),
        priority: execution.priority.as_str(),
        queue_position: execution.queue_position,
        dead_letter: execution.is_dead_letter,
    }
}

fn attempt(attempt: &Attempt) -> AttemptJson {
    let failure = attempt.failure.as_ref();
    AttemptJson {
        number: attempt.number,
        started_at: rfc3339(attempt.started_at),
        took_ms: attempt.took.map(millis),
        error_code: failure.map(|failure| failure.code.as_str()),
        error_message: failure.map(|failure| failure.message.clone()),
        instance_id: attempt.instance.as_ref().map(ToString::to_string),
    }
}

fn result(output: &Output) -> (serde_json::Value, Option<&'static str>) {
    match output {
        Output::Typed(typed) => (value(typed), Some("json")),
        Output::Raw(bytes) | Output::Response { body: bytes, .. } => match std::str::from_utf8(bytes) {
            Ok(text) => (text.into(), Some("text")),
            Err(_binary) => (STANDARD.encode(bytes).into(), Some("base64")),
        },
    }
}

/// A value. As in gRPC messages, a large integer is decimal text, and a float that is
/// not finite is `NaN`, `Infinity` or `-Infinity`.
fn value(typed: &Value) -> serde_json::Value {
    match typed {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Signed(number) if number.unsigned_abs() <= EXACT_MAX => (*number).into(),
        Value::Signed(number) => number.to_string().into(),
        Value::Unsigned(number) if *number <= EXACT_MAX => (*number).into(),
        Value::Unsigned(number) => number.to_string().into(),
        Value::Number(number) => match Number::from_f64(*number) {
            Some(finite) => finite.into(),
            None if number.is_nan() => "NaN".into(),
            None if *number > 0.0 => "Infinity".into(),
            None => "-Infinity".into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::List(items) => items.iter().map(value).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let field = |(name, typed): &(String, Value)| (name.clone(), value(typed));
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
    }
}

fn rfc3339(time: SystemTime) -> String {
    timestamp(time).to_string()
}

fn millis(duration: std::time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
