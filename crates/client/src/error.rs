//! What goes wrong at a client.

use std::fmt;
use std::time::Duration;
use tonic::Code;
use tonic_types::StatusExt as _;

/// A call to a host that did not work out.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint cannot be used as it is written.
    #[error("{endpoint:?} is no endpoint; write http://HOST:PORT")]
    Endpoint {
        /// As written.
        endpoint: String,
    },
    /// Nobody listens there.
    #[error("no host answers at {endpoint}; start one with `pilum serve`, or name another")]
    Unreachable {
        /// Where.
        endpoint: String,
        /// Why.
        #[source]
        cause: tonic::transport::Error,
    },
    /// The host refused, or the connection broke.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
    /// The request is longer than any host takes.
    #[error("the request has {bytes} bytes, at most {max_bytes} can be sent; put what is large behind a URL")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max_bytes: usize,
    },
    /// A parameter cannot travel.
    #[error("parameter {index}: {reason}")]
    Parameter {
        /// Which, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// The host's answer breaks the contract: it may be of another version.
    #[error("the host's answer cannot be read: {0}")]
    Answer(String),
}

/// A gRPC status other than OK, with what its details say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The field of the request that is wrong, by its path on the wire.
    pub field: Option<String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
}

impl ClientError {
    /// The gRPC code, if a host refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            Self::Unreachable { .. } => Some(Code::Unavailable),
            Self::Endpoint { .. } | Self::TooLarge { .. } | Self::Parameter { .. } | Self::Answer(_) => None,
        }
    }

    /// The field of the request that a host found wrong.
    pub fn field(&self) -> Option<&str> {
        self.refused()?.field.as_deref()
    }

    /// When a host said that trying again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refused()?.retry_after
    }

    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Endpoint { .. }
            | Self::Unreachable { .. }
            | Self::TooLarge { .. }
            | Self::Parameter { .. }
            | Self::Answer(_) => None,
        }
    }
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> Self {
        let bad_request = status.get_details_bad_request();
        let violation = bad_request.and_then(|bad| bad.field_violations.into_iter().next());
        let refused = Refused {
            code: status.code(),
            message: status.message().to_owned(),
            field: violation.map(|violation| violation.field),
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
        };
        Self::Refused(Box::new(refused))
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    /// The code's name and the message, and when to try again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)?;
        match self.retry_after {
            Some(after) => write!(f, " (try again in {} ms)", after.as_millis()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn reads_what_the_details_say() {
        let mut details = ErrorDetails::with_bad_request_violation("context.timeout_ms", "is -1");
        details.set_retry_info(Some(Duration::from_millis(250)));
        let status = tonic::Status::with_error_details(Code::InvalidArgument, "no", details);
        let error = ClientError::from(status);
        assert_eq!(error.code(), Some(Code::InvalidArgument));
        assert_eq!(error.field(), Some("context.timeout_ms"));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(250)));
        assert_eq!(error.to_string(), "InvalidArgument: no (try again in 250 ms)");

        let bare = ClientError::from(tonic::Status::unavailable("gone"));
        assert_eq!((bare.field(), bare.retry_after()), (None, None));
    }
}
