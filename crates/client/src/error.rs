//! Why a call to a host failed.

use crate::code::Code;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tonic_types::StatusExt as _;

/// Why a call to a host failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is malformed.
    #[error("{endpoint:?} is not an endpoint; write http://HOST:PORT")]
    Endpoint {
        /// The endpoint as the caller wrote it.
        endpoint: String,
    },
    /// No host listens at the endpoint.
    #[error("no host answers at {endpoint}; start one with `pilum serve`, or name another")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// Why the connection could not be made.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The host answered with an error, or the connection broke.
    #[error(transparent)]
    Status(#[from] Box<ErrorStatus>),
    /// The request is longer than a host accepts.
    #[error("the request has {bytes} bytes, at most {max_bytes} can be sent; pass large data as a URL")]
    TooLarge {
        /// The length of the request.
        bytes: usize,
        /// The greatest length.
        max_bytes: usize,
    },
    /// A parameter nests too many lists and objects to be sent.
    #[error("parameter {index}: {reason}")]
    Parameter {
        /// The position of the parameter, from 0.
        index: usize,
        /// Why it cannot be sent.
        reason: String,
    },
    /// The host's answer breaks the contract. The host may have another version.
    #[error("the host's answer cannot be read: {0}")]
    Answer(String),
}

/// A gRPC status that is an error, with its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorStatus {
    /// The status code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The path on the wire of the wrong field, such as `parameters[2].value`. The host
    /// gives it with [`Code::InvalidArgument`].
    pub field: Option<String>,
    /// After what time the caller may try again. The host gives it with
    /// [`Code::ResourceExhausted`].
    pub retry_after: Option<Duration>,
}

impl ClientError {
    /// The gRPC code; `None` if the request was not sent or the answer cannot be read.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code),
            Self::Unreachable { .. } => Some(Code::Unavailable),
            Self::Endpoint { .. } | Self::TooLarge { .. } | Self::Parameter { .. } | Self::Answer(_) => None,
        }
    }

    /// The path of the wrong field, if the host named one.
    pub fn field(&self) -> Option<&str> {
        self.error_status()?.field.as_deref()
    }

    /// After what time the caller may try again, if the host said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.error_status()?.retry_after
    }

    fn error_status(&self) -> Option<&ErrorStatus> {
        match self {
            Self::Status(status) => Some(status),
            Self::Endpoint { .. }
            | Self::Unreachable { .. }
            | Self::TooLarge { .. }
            | Self::Parameter { .. }
            | Self::Answer(_) => None,
        }
    }
}

impl Error for ErrorStatus {}

impl fmt::Display for ErrorStatus {
    /// The code's name, the message, and after what time to try again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)?;
        match self.retry_after {
            Some(after) => write!(f, " (try again in {} ms)", after.as_millis()),
            None => Ok(()),
        }
    }
}

/// The message of a response, or the error of the call.
pub(crate) fn answer<T>(response: Result<tonic::Response<T>, tonic::Status>) -> Result<T, ClientError> {
    response.map(tonic::Response::into_inner).map_err(status_error)
}

/// The error of a call that ended with this gRPC status.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
pub(crate) fn status_error(status: tonic::Status) -> ClientError {
    let bad_request = status.get_details_bad_request();
    let violation = bad_request.and_then(|bad| bad.field_violations.into_iter().next());
    ClientError::Status(Box::new(ErrorStatus {
        code: Code::of(&status),
        message: status.message().to_owned(),
        field: violation.map(|violation| violation.field),
        retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn the_details_of_a_status_are_read() {
        let mut details = ErrorDetails::with_bad_request_violation("context.timeout_ms", "is -1");
        details.set_retry_info(Some(Duration::from_millis(250)));
        let status = tonic::Status::with_error_details(tonic::Code::InvalidArgument, "no", details);
        let error = status_error(status);
        assert_eq!(error.code(), Some(Code::InvalidArgument));
        assert_eq!(error.field(), Some("context.timeout_ms"));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(250)));
        assert_eq!(error.to_string(), "InvalidArgument: no (try again in 250 ms)");

        let bare = status_error(tonic::Status::unavailable("gone"));
        assert_eq!((bare.field(), bare.retry_after()), (None, None));
    }
}
