//! What goes wrong in the gateway: with one request, and with serving at all.

use pilum_execution::RequestError;
use pilum_types::FailureCode;

/// Why the gateway stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The gRPC server ended.
    #[error("the gRPC listener failed")]
    Grpc(#[from] tonic::transport::Error),
    /// The reflection service cannot read the contract compiled into this binary.
    #[error("the reflection service cannot read the compiled contract")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Why a request gets an error as its answer. The `status` module says which gRPC
/// status and which HTTP status each of these is.
#[derive(Debug, Clone)]
pub(crate) enum ApiError {
    /// A field of the request is wrong.
    Field {
        /// The field's path on the wire, such as `parameters[2].value`.
        field: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No execution of this tenant has the id.
    ExecutionNotFound {
        /// The id as the caller wrote it.
        id: String,
    },
    /// No dead letter of this tenant has the id.
    DeadLetterNotFound {
        /// The id as the caller wrote it.
        id: String,
    },
    /// The execution layer did not make an execution of the request.
    Request(RequestError),
    /// The unfinished requests of all gRPC connections hold as many bytes as the
    /// host allows.
    RequestBytesExhausted,
    /// The bytes of a gRPC request did not come in within their time.
    RequestBodyTimeout,
    /// The HTTP listener has no such path.
    PathNotFound,
    /// The `Host` header of an HTTP request is not readable text.
    HostHeaderNotText,
    /// The host did not answer an HTTP request within its own bound.
    ResponseTimeout,
    /// The metrics could not be written as text.
    MetricsNotWritten,
    /// An http handler answered with an informational status (1xx), which belongs to
    /// the HTTP connection and not to the function.
    HandlerInformationalStatus,
    /// An http handler ended without a response.
    HandlerFailed {
        /// How its execution failed.
        code: FailureCode,
    },
}

impl ApiError {
    /// A field of the request is wrong.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}
