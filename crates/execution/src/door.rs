//! How the output of a call leaves while it runs: in pieces, or as a response.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use pilum_types::ExecutionId;
use tokio::sync::{mpsc, oneshot};

/// A body of either direction, as it streams.
pub type HttpBody = UnsyncBoxBody<Bytes, HttpBodyError>;
/// What can end a body early.
pub type HttpBodyError = Box<dyn std::error::Error + Send + Sync>;
/// A request to a task's http handler.
pub type HttpRequest = http::Request<HttpBody>;
/// What a handler answered. Its body ends with an error if the guest does.
pub type HttpResponse = http::Response<HttpBody>;

/// Where the output of a call goes.
#[derive(Debug, Clone, Default)]
pub enum Delivery {
    /// Into the outcome.
    #[default]
    Whole,
    /// Piece by piece, while it is written.
    Pieces(mpsc::Sender<Bytes>),
    /// A handler's response as soon as it has a head, its body as it comes.
    Http(mpsc::Sender<HttpResponse>),
}

/// How a call comes in and its output goes out, where that is not the usual way.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// What is asked of the http handler, instead of a function and parameters.
    pub(crate) request: Option<HttpRequest>,
    /// Where the output goes.
    pub(crate) delivery: Delivery,
    /// Is told the id once the call is an execution.
    pub(crate) admitted: Option<oneshot::Sender<ExecutionId>>,
}
