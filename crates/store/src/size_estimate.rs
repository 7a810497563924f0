//! An estimate of the bytes that a record holds, for stores that bound their bytes.
//!
//! The estimate is rather too high, since the real size of an allocation depends on the
//! allocator.

use crate::Submission;
use pilum_types::{Outcome, Output, Value};

/// Bytes of every record besides its contents: ids, times, attempts, and the overhead of
/// the collections that hold it.
const RECORD_BYTES: usize = 1024;

/// Bytes of a record with this outcome and this submission.
pub fn size_estimate(outcome: Option<&Outcome>, submission: Option<&Submission>) -> usize {
    RECORD_BYTES + outcome.map_or(0, outcome_bytes) + submission.map_or(0, submission_bytes)
}

fn outcome_bytes(outcome: &Outcome) -> usize {
    let result = match &outcome.result {
        Ok(Output::Typed(value)) => value_bytes(value),
        Ok(Output::Raw(bytes) | Output::Response { body: bytes, .. }) => bytes.len(),
        // The message is stored twice: in the outcome and in the attempt.
        Err(failure) => 2 * failure.message.len(),
    };
    let log: usize = outcome.log.iter().map(|line| size_of_val(line) + line.text.len()).sum();
    result + log
}

fn submission_bytes(submission: &Submission) -> usize {
    let parameters: usize = submission
        .parameters
        .iter()
        .map(|p| size_of_val(p) + p.name.len() + p.type_name.len() + value_bytes(&p.value))
        .sum();
    let environment: usize =
        submission.environment.iter().map(|(k, v)| size_of::<(String, String)>() + k.len() + v.len()).sum();
    parameters + environment
}

fn value_bytes(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Signed(_) | Value::Unsigned(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.iter().map(value_bytes).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| size_of::<String>() + k.len() + value_bytes(v)).sum()
        }
    };
    size_of::<Value>() + inside
}
