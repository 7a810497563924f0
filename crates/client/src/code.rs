//! The gRPC status codes.

/// A gRPC status code.
// A twin of tonic's type, so that no type of the transport leaves this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The call was cancelled by its caller.
    Cancelled,
    /// An error without a known code, or a code that this client does not know.
    Unknown,
    /// A field of the request is wrong.
    InvalidArgument,
    /// The call did not end within its time.
    DeadlineExceeded,
    /// No task, function, execution or dead letter has this name or id.
    NotFound,
    /// The name or the id is in use for something else.
    AlreadyExists,
    /// The caller may not do this.
    PermissionDenied,
    /// A bound of the host is reached; the same call may work later.
    ResourceExhausted,
    /// The artifact cannot be used: its checksum, its code or its imports are wrong.
    FailedPrecondition,
    /// The call was stopped because of a conflict with another one.
    Aborted,
    /// A value is outside its range, such as a message that is too long.
    OutOfRange,
    /// The host does not have this RPC.
    Unimplemented,
    /// The host failed.
    Internal,
    /// The host does not answer or is shutting down.
    Unavailable,
    /// Data is lost or damaged.
    DataLoss,
    /// The credentials are missing or wrong.
    Unauthenticated,
}

impl Code {
    /// The code of a status that is an error. An error with the code OK breaks the gRPC
    /// protocol, so it has no known code.
    pub(crate) fn of(status: &tonic::Status) -> Self {
        match status.code() {
            tonic::Code::Cancelled => Self::Cancelled,
            tonic::Code::Ok | tonic::Code::Unknown => Self::Unknown,
            tonic::Code::InvalidArgument => Self::InvalidArgument,
            tonic::Code::DeadlineExceeded => Self::DeadlineExceeded,
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::AlreadyExists => Self::AlreadyExists,
            tonic::Code::PermissionDenied => Self::PermissionDenied,
            tonic::Code::ResourceExhausted => Self::ResourceExhausted,
            tonic::Code::FailedPrecondition => Self::FailedPrecondition,
            tonic::Code::Aborted => Self::Aborted,
            tonic::Code::OutOfRange => Self::OutOfRange,
            tonic::Code::Unimplemented => Self::Unimplemented,
            tonic::Code::Internal => Self::Internal,
            tonic::Code::Unavailable => Self::Unavailable,
            tonic::Code::DataLoss => Self::DataLoss,
            tonic::Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}
