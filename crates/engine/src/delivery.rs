//! Where what a guest gives out goes: into the outcome, or out at once.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::mpsc;

/// A body of either direction, as it streams.
pub type HttpBody = UnsyncBoxBody<Bytes, HttpBodyError>;
/// What can end a body early.
pub type HttpBodyError = Box<dyn std::error::Error + Send + Sync>;
/// A request to an http handler.
pub type HttpRequest = http::Request<HttpBody>;
/// What a handler answered. Its body ends with an error if the guest does.
pub type HttpResponse = http::Response<HttpBody>;

/// Where the output of a call goes.
#[derive(Debug, Clone, Default)]
pub enum Delivery {
    /// Into the outcome, within the bound of a result.
    #[default]
    Whole,
    /// Piece by piece, while it is written: a command's standard output, a
    /// handler's body. The channel's capacity is how far the guest may be ahead of
    /// the reader; one that is gone is like a closed file to the guest. What a
    /// typed function returns goes into the outcome all the same.
    Pieces(mpsc::Sender<Bytes>),
    /// A handler's response as soon as it has a head, its body as it comes.
    Http(mpsc::Sender<HttpResponse>),
}
