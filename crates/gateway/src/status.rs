//! The one table from an error to its gRPC status and its HTTP status.
//!
//! The texts of the execution layer are written for callers; they are cut to a length
//! that headers can carry. The text of an internal error goes to the log only.
//!
//! No other file of this crate chooses a status for an error.

use crate::error::ApiError;
use crate::text::clip;
use axum::http::StatusCode;
use pilum_execution::{BindError, PrepareError, RequestError, RequestField};
use pilum_types::FailureCode;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Longest message of a status, in bytes. It travels in a header, percent-encoded
/// (up to three bytes for one) and again inside the details; clients commonly
/// take 16 KiB of headers.
const MESSAGE_MAX_BYTES: usize = 2 * 1024;
/// Longest description inside a detail, in bytes; see [`MESSAGE_MAX_BYTES`].
const DETAIL_MAX_BYTES: usize = 1024;
/// When a caller may try again if there is room only after somebody deletes a task.
const TASK_DELETION_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The message that a client gets for an internal error.
const INTERNAL_MESSAGE: &str = "internal error";

/// An error as a client gets it.
#[derive(Debug)]
pub(crate) struct ErrorStatus {
    /// The gRPC status.
    pub(crate) code: Code,
    /// The HTTP status.
    pub(crate) http: StatusCode,
    /// The code in the JSON body of an HTTP error: the name of the gRPC status or, for
    /// an http handler that failed, the code of the failure.
    pub(crate) json_code: &'static str,
    /// For people.
    pub(crate) message: String,
    /// The typed details of the gRPC status.
    details: ErrorDetails,
}

impl From<&ApiError> for ErrorStatus {
    fn from(error: &ApiError) -> Self {
        match error {
            ApiError::Field { field, reason } => invalid_argument(field, reason),
            ApiError::ExecutionNotFound { id } => {
                let message = format!("no execution has the id {id:?}");
                not_found("execution", id, &message)
            }
            ApiError::DeadLetterNotFound { id } => {
                let message = format!("no dead letter has the id {id:?}");
                not_found("dead letter", id, &message)
            }
            ApiError::Request(error) => request_error(error),
            ApiError::RequestBytesExhausted => without_details(
                Code::ResourceExhausted,
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests are coming in at once; try again later",
            ),
            ApiError::RequestBodyTimeout => without_details(
                Code::DeadlineExceeded,
                StatusCode::REQUEST_TIMEOUT,
                "the request took too long to come in",
            ),
            ApiError::PathNotFound => without_details(Code::NotFound, StatusCode::NOT_FOUND, "no such path"),
            ApiError::HostHeaderNotText => without_details(
                Code::InvalidArgument,
                StatusCode::BAD_REQUEST,
                "the Host header is not readable text",
            ),
            ApiError::ResponseTimeout => without_details(
                Code::DeadlineExceeded,
                StatusCode::GATEWAY_TIMEOUT,
                "the host took too long to answer",
            ),
            ApiError::MetricsNotWritten => internal("the metrics could not be written as text"),
            ApiError::HandlerInformationalStatus => handler_failed(
                FailureCode::GuestError,
                Code::Unknown,
                StatusCode::BAD_GATEWAY,
                "the function answered with an informational status (1xx), which only the host may send",
            ),
            ApiError::HandlerFailed { code } => handler_failure(*code),
        }
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let status = ErrorStatus::from(&error);
        Self::with_error_details(status.code, status.message, status.details)
    }
}

fn request_error(error: &RequestError) -> ErrorStatus {
    let message = error.to_string();
    match error {
        RequestError::InvalidArgument { field, reason } => invalid_argument(wire_path(*field), reason),
        RequestError::TaskNotFound { id } => not_found("task", id, &message),
        RequestError::RevisionNotFound { number, kept: _ } => {
            let name = number.map(|number| number.to_string()).unwrap_or_default();
            not_found("revision", &name, &message)
        }
        RequestError::NameTaken { name, existing: _, offered: _ } => {
            already_exists("task", name.as_str(), &message)
        }
        RequestError::TooManyTasks { max: _ } => {
            resource_exhausted("registered tasks", &message, TASK_DELETION_RETRY_AFTER)
        }
        RequestError::Prepare(error) => prepare_error(error),
        RequestError::Bind(error) => bind_error(error),
        RequestError::NoSlot { slots: _, retry_after } => {
            resource_exhausted("synchronous call slots", &message, *retry_after)
        }
        RequestError::QueueFull { max_queue_size: _, retry_after } => {
            resource_exhausted("queued executions", &message, *retry_after)
        }
        RequestError::OutOfSpace { max_bytes: _, retry_after } => {
            resource_exhausted("bytes of executions", &message, *retry_after)
        }
        RequestError::DiskFull { retry_after } => resource_exhausted("disk space", &message, *retry_after),
        RequestError::ExecutionExists { id } => already_exists("execution", id, &message),
        RequestError::Draining => unavailable(&message),
        RequestError::Internal(detail) => internal(detail),
    }
}

fn prepare_error(error: &PrepareError) -> ErrorStatus {
    let message = error.to_string();
    match error {
        PrepareError::InvalidSource { field, reason } => invalid_argument(wire_path(*field), reason),
        PrepareError::Unavailable(_) => unavailable(&message),
        PrepareError::ChecksumMismatch { expected: _, found: _ } => {
            failed_precondition("CHECKSUM", "artifact_spec.checksum", &message)
        }
        PrepareError::InvalidCode(_) => failed_precondition("CODE", "artifact_spec.location", &message),
        PrepareError::Internal(detail) => internal(detail),
    }
}

fn bind_error(error: &BindError) -> ErrorStatus {
    let message = error.to_string();
    match error {
        BindError::FunctionNotFound { name, exported: _ } => not_found("function", name, &message),
        BindError::Ambiguous { name: _, candidates: _ } => invalid_argument("function_name", &message),
        BindError::Parameter { path, reason } => {
            // An error in the list as a whole already has its path on the wire.
            let whole = path == "parameters" || path.starts_with("parameters[");
            let field = if whole { path.clone() } else { format!("parameters.{path}") };
            let mut status = invalid_argument(&field, reason);
            status.message = clip(&message, MESSAGE_MAX_BYTES);
            status
        }
    }
}

/// An http handler that ended without a response. The task's owner finds the reason by
/// the execution's id; a visitor of the site gets only the kind of failure.
fn handler_failure(failure: FailureCode) -> ErrorStatus {
    match failure {
        FailureCode::DeadlineExceeded => handler_failed(
            failure,
            Code::DeadlineExceeded,
            StatusCode::GATEWAY_TIMEOUT,
            "the function took too long",
        ),
        FailureCode::Cancelled => handler_failed(
            failure,
            Code::Cancelled,
            StatusCode::SERVICE_UNAVAILABLE,
            "the call was cancelled",
        ),
        FailureCode::TrapUnreachable
        | FailureCode::TrapOutOfBounds
        | FailureCode::TrapStackOverflow
        | FailureCode::TrapIntegerDivideByZero
        | FailureCode::TrapOther
        | FailureCode::MemoryLimit
        | FailureCode::FuelExhausted
        | FailureCode::GuestExit
        | FailureCode::GuestError
        | FailureCode::ResultTooLarge
        | FailureCode::HostError
        | FailureCode::WorkerLost => {
            handler_failed(failure, Code::Unknown, StatusCode::INTERNAL_SERVER_ERROR, "the function failed")
        }
    }
}

/// The path of a field on the wire.
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

fn invalid_argument(field: &str, reason: &str) -> ErrorStatus {
    let (field, reason) = (clip(field, DETAIL_MAX_BYTES), clip(reason, DETAIL_MAX_BYTES));
    let message = format!("{field}: {reason}");
    let details = ErrorDetails::with_bad_request_violation(field, reason);
    error_status(Code::InvalidArgument, StatusCode::BAD_REQUEST, &message, details)
}

fn not_found(kind: &str, name: &str, message: &str) -> ErrorStatus {
    error_status(Code::NotFound, StatusCode::NOT_FOUND, message, resource(kind, name))
}

fn already_exists(kind: &str, name: &str, message: &str) -> ErrorStatus {
    error_status(Code::AlreadyExists, StatusCode::CONFLICT, message, resource(kind, name))
}

fn failed_precondition(kind: &str, subject: &str, message: &str) -> ErrorStatus {
    let description = clip(message, DETAIL_MAX_BYTES);
    let details = ErrorDetails::with_precondition_failure_violation(kind, subject, description);
    error_status(Code::FailedPrecondition, StatusCode::UNPROCESSABLE_ENTITY, message, details)
}

fn resource_exhausted(subject: &str, message: &str, retry_after: Duration) -> ErrorStatus {
    let mut details = ErrorDetails::with_retry_info(Some(retry_after));
    details.add_quota_failure_violation(subject, clip(message, DETAIL_MAX_BYTES));
    error_status(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, message, details)
}

fn unavailable(message: &str) -> ErrorStatus {
    error_status(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, message, ErrorDetails::new())
}

fn internal(detail: &str) -> ErrorStatus {
    tracing::error!(detail, "a request failed inside the host");
    error_status(Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_MESSAGE, ErrorDetails::new())
}

fn handler_failed(failure: FailureCode, code: Code, http: StatusCode, message: &str) -> ErrorStatus {
    ErrorStatus { json_code: failure.as_str(), ..without_details(code, http, message) }
}

fn without_details(code: Code, http: StatusCode, message: &str) -> ErrorStatus {
    error_status(code, http, message, ErrorDetails::new())
}

fn resource(kind: &str, name: &str) -> ErrorDetails {
    ErrorDetails::with_resource_info(kind, clip(name, DETAIL_MAX_BYTES), "", "")
}

fn error_status(code: Code, http: StatusCode, message: &str, details: ErrorDetails) -> ErrorStatus {
    ErrorStatus { code, http, json_code: code_name(code), message: clip(message, MESSAGE_MAX_BYTES), details }
}

/// The name of a gRPC code, as JSON error bodies write it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
