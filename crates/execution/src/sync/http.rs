//! Passes requests to http handlers.

use super::SyncCalls;
use super::body::{BodyWithCall, body_bytes};
use super::io::CallIo;
use crate::{
    Execution, HttpRequest, HttpResponse, Invocation, OutputMode, Reply, RequestError, Runtime, Store,
};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// The reply to a request to an http handler.
#[derive(Debug)]
pub enum HttpReply {
    /// The handler's response. The call ends with the body: a body that is dropped before its
    /// end stops the call, a body that was read to its end lets the call finish within its
    /// timeout.
    Response(HttpResponse),
    /// The execution ended without a response.
    Ended(Arc<Execution>),
}

impl<R: Runtime, S: Store> SyncCalls<R, S> {
    /// Passes a request to a task's http handler. The call runs in this future until there is
    /// a response. If the call has not ended by then, it continues in a task of its own.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        invocation: Invocation,
        request: HttpRequest,
    ) -> Result<HttpReply, RequestError> {
        let (sender, mut responses) = mpsc::channel(1);
        let is_head = request.method() == http::Method::HEAD;
        let output = OutputMode::HttpResponse(sender);
        let io = CallIo { request: Some(request), output, admitted: None };
        let mut run = Box::pin(self.invoke_catching_panics(invocation, io));
        tokio::select! {
            biased;
            reply = &mut run => match (reply?, responses.try_recv()) {
                (_, Ok(response)) => Ok(HttpReply::Response(response)),
                (Reply::Finished(execution) | Reply::Pending { execution, estimate: _ }, Err(_)) => {
                    Ok(HttpReply::Ended(execution))
                }
            },
            Some(response) = responses.recv() => {
                let run = AbortOnDropHandle::new(self.lifecycle.tracker.spawn(run));
                let left = if is_head { Some(0) } else { body_bytes(&response) };
                let with_call = |body| BodyWithCall::new(body, run, left).boxed_unsync();
                Ok(HttpReply::Response(response.map(with_call)))
            }
        }
    }
}
