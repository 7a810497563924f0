//! What goes wrong in the gateway: with a request, and with serving at all.

use pilum_execution::RequestError;

/// Why the gateway stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The gRPC server ended.
    #[error("the gRPC listener failed")]
    Grpc(#[from] tonic::transport::Error),
    /// The contract compiled into this binary cannot be served by reflection.
    #[error("the compiled contract cannot be reflected")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A request that is turned away, before it gets its status.
#[derive(Debug, Clone)]
pub(crate) enum Rejection {
    /// A field of the request is wrong.
    Field {
        /// Its path on the wire, such as `parameters[2].value`.
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
    /// The execution layer refused.
    Refused(RequestError),
}

impl Rejection {
    /// A wrong field.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }
}

impl From<RequestError> for Rejection {
    fn from(refusal: RequestError) -> Self {
        Self::Refused(refusal)
    }
}
