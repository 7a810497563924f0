//! Roughly how many bytes a record holds, so that what keeps records can bound them.
//!
//! The figures are estimates on the safe side: what an allocation really takes
//! depends on the allocator.

use crate::Submission;
use pilum_types::{Outcome, Output, Value};

/// Charged for every record besides its contents: ids, times, attempts and the
/// collections' own overhead.
const RECORD_BYTES: usize = 1024;

/// Of a record with its outcome and the request it keeps.
pub(crate) fn record(outcome: Option<&Outcome>, request: Option<&Submission>) -> usize {
    RECORD_BYTES + outcome.map_or(0, of_outcome) + request.map_or(0, of_submission)
}

fn of_outcome(outcome: &Outcome) -> usize {
    let result = match &outcome.result {
        Ok(Output::Typed(value)) => of_value(value),
        Ok(Output::Raw(bytes) | Output::Response { body: bytes, .. }) => bytes.len(),
        // Once in the outcome, once in the attempt.
        Err(failure) => 2 * failure.message.len(),
    };
    let log: usize = outcome.log.iter().map(|line| size_of_val(line) + line.text.len()).sum();
    result + log
}

fn of_submission(submission: &Submission) -> usize {
    let parameters: usize = submission
        .parameters
        .iter()
        .map(|p| size_of_val(p) + p.name.len() + p.type_name.len() + of_value(&p.value))
        .sum();
    let environment: usize = submission.environment.iter().map(|(k, v)| 48 + k.len() + v.len()).sum();
    parameters + environment
}

fn of_value(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Signed(_) | Value::Unsigned(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.iter().map(of_value).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| size_of::<String>() + k.len() + of_value(v)).sum()
        }
    };
    size_of::<Value>() + inside
}
