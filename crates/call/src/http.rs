//! Requests to http handlers and their responses.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// The name by which an http handler is called as a function.
pub const HTTP_HANDLER_FUNCTION: &str = "handle";

/// A streamed body, of a request or of a response.
pub type HttpBody = UnsyncBoxBody<Bytes, HttpBodyError>;
/// The error that ends a body early.
pub type HttpBodyError = Box<dyn std::error::Error + Send + Sync>;
/// A request to a task's http handler.
pub type HttpRequest = http::Request<HttpBody>;
/// A handler's response. The body ends with an error if the guest is stopped.
pub type HttpResponse = http::Response<HttpBody>;
