//! What a rejection is to a client: the one table from it to a gRPC status and
//! an HTTP status.
//!
//! The texts are those of the execution layer, which are written for callers,
//! cut to a length that headers can carry. The text of an internal error goes
//! to the log and nowhere else.

use crate::error::Rejection;
use axum::http::StatusCode;
use pilum_execution::{BindError, PrepareError, RequestError, RequestField};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Longest message of a status, in bytes. It travels in a header, percent-encoded
/// (up to three bytes for one) and again inside the details; clients commonly
/// take 16 KiB of headers.
const MESSAGE_MAX_BYTES: usize = 2 * 1024;
/// Longest description inside a detail, in bytes; see [`MESSAGE_MAX_BYTES`].
const DETAIL_MAX_BYTES: usize = 1024;
/// When to ask again where only somebody's deletion of a task makes room.
const DELETED_MEANWHILE: Duration = Duration::from_secs(60);
/// What a client reads of an internal error.
const INTERNAL: &str = "internal error";

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// For gRPC.
    pub(crate) code: Code,
    /// For HTTP.
    pub(crate) http: StatusCode,
    /// For people.
    pub(crate) message: String,
    details: ErrorDetails,
}

impl From<&Rejection> for Verdict {
    fn from(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::Field { field, reason } => invalid(field, reason),
            Rejection::ExecutionNotFound { id } => {
                let message = format!("no execution has the id {id:?}");
                missing("execution", id, &message)
            }
            Rejection::DeadLetterNotFound { id } => {
                let message = format!("no dead letter has the id {id:?}");
                missing("dead letter", id, &message)
            }
            Rejection::Refused(refusal) => refused(refusal),
        }
    }
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let verdict = Verdict::from(&rejection);
        Self::with_error_details(verdict.code, verdict.message, verdict.details)
    }
}

fn refused(refusal: &RequestError) -> Verdict {
    let message = refusal.to_string();
    match refusal {
        RequestError::InvalidArgument { field, reason } => invalid(wire_path(*field), reason),
        RequestError::TaskNotFound { id } => missing("task", id, &message),
        RequestError::RevisionNotFound { number, kept: _ } => {
            let name = number.map(|number| number.to_string()).unwrap_or_default();
            missing("revision", &name, &message)
        }
        RequestError::NameTaken { name, existing: _, offered: _ } => taken("task", name.as_str(), &message),
        RequestError::TooManyTasks { max: _ } => exhausted("registered tasks", &message, DELETED_MEANWHILE),
        RequestError::Prepare(error) => not_prepared(error),
        RequestError::Bind(error) => not_bound(error),
        RequestError::NoSlot { slots: _, retry_after } => {
            exhausted("synchronous call slots", &message, *retry_after)
        }
        RequestError::QueueFull { max_queue_size: _, retry_after } => {
            exhausted("queued executions", &message, *retry_after)
        }
        RequestError::OutOfSpace { max_bytes: _, retry_after } => {
            exhausted("bytes of executions", &message, *retry_after)
        }
        RequestError::DiskFull { retry_after } => exhausted("disk space", &message, *retry_after),
        RequestError::ExecutionExists { id } => taken("execution", id, &message),
        RequestError::Draining => unavailable(&message),
        RequestError::Internal(detail) => internal(detail),
    }
}

fn not_prepared(error: &PrepareError) -> Verdict {
    let message = error.to_string();
    match error {
        PrepareError::InvalidSource { field, reason } => invalid(wire_path(*field), reason),
        PrepareError::Unavailable(_) => unavailable(&message),
        PrepareError::ChecksumMismatch { expected: _, found: _ } => {
            unmet("CHECKSUM", "artifact_spec.checksum", &message)
        }
        PrepareError::InvalidCode(_) => unmet("CODE", "artifact_spec.location", &message),
        PrepareError::Internal(detail) => internal(detail),
    }
}

fn not_bound(error: &BindError) -> Verdict {
    let message = error.to_string();
    match error {
        BindError::FunctionNotFound { name, exported: _ } => missing("function", name, &message),
        BindError::Ambiguous { name: _, candidates: _ } => invalid("function_name", &message),
        BindError::Parameter { path, reason } => {
            // What is wrong with the list as a whole has its own path on the wire.
            let whole = path == "parameters" || path.starts_with("parameters[");
            let field = if whole { path.clone() } else { format!("parameters.{path}") };
            let mut verdict = invalid(&field, reason);
            verdict.message = clip(&message, MESSAGE_MAX_BYTES);
            verdict
        }
    }
}

/// What a field is called on the wire.
fn wire_path(field: RequestField) -> &'static str {
    match field {
        RequestField::Timeout => "context.timeout_ms",
        RequestField::MaxRetries => "context.max_retries",
        RequestField::CallbackUrl => "context.callback_url",
        RequestField::PolicyTimeout => "policy.limits.timeout_ms",
        RequestField::PolicyMemoryMaxBytes => "policy.limits.memory_max_bytes",
        RequestField::PolicyResultMaxBytes => "policy.limits.result_max_bytes",
        RequestField::PolicyLogMaxBytes => "policy.limits.log_max_bytes",
        RequestField::ArtifactLocation => "artifact_spec.location",
        RequestField::ArtifactChecksum => "artifact_spec.checksum",
    }
}

fn invalid(field: &str, reason: &str) -> Verdict {
    let (field, reason) = (clip(field, DETAIL_MAX_BYTES), clip(reason, DETAIL_MAX_BYTES));
    let message = format!("{field}: {reason}");
    let details = ErrorDetails::with_bad_request_violation(field, reason);
    verdict(Code::InvalidArgument, StatusCode::BAD_REQUEST, &message, details)
}

fn missing(kind: &str, name: &str, message: &str) -> Verdict {
    verdict(Code::NotFound, StatusCode::NOT_FOUND, message, resource(kind, name))
}

fn taken(kind: &str, name: &str, message: &str) -> Verdict {
    verdict(Code::AlreadyExists, StatusCode::CONFLICT, message, resource(kind, name))
}

fn unmet(kind: &str, subject: &str, message: &str) -> Verdict {
    let description = clip(message, DETAIL_MAX_BYTES);
    let details = ErrorDetails::with_precondition_failure_violation(kind, subject, description);
    verdict(Code::FailedPrecondition, StatusCode::UNPROCESSABLE_ENTITY, message, details)
}

fn exhausted(subject: &str, message: &str, retry_after: Duration) -> Verdict {
    let mut details = ErrorDetails::with_retry_info(Some(retry_after));
    details.add_quota_failure_violation(subject, clip(message, DETAIL_MAX_BYTES));
    verdict(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, message, details)
}

fn unavailable(message: &str) -> Verdict {
    verdict(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, message, ErrorDetails::new())
}

fn internal(detail: &str) -> Verdict {
    tracing::error!(detail, "a request failed inside the host");
    verdict(Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, ErrorDetails::new())
}

fn resource(kind: &str, name: &str) -> ErrorDetails {
    ErrorDetails::with_resource_info(kind, clip(name, DETAIL_MAX_BYTES), "", "")
}

fn verdict(code: Code, http: StatusCode, message: &str, details: ErrorDetails) -> Verdict {
    Verdict { code, http, message: clip(message, MESSAGE_MAX_BYTES), details }
}

/// `text`, or as much of it as fits in `max` bytes with a mark of the cut.
pub(crate) fn clip(text: &str, max: usize) -> String {
    const CUT: &str = " … (cut)";
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(CUT.len()));
    let (kept, _) = text.split_at(end);
    format!("{kept}{CUT}")
}

#[cfg(test)]
mod tests;
