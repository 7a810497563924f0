//! The body of a handler's response, on its way to the reader.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pilum_call::HttpBodyError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// The body of a handler's response. It ends with an error if its call was aborted.
pub(crate) struct ResponseBody {
    body: HyperOutgoingBody,
    shared: SharedWithCall,
    is_over: bool,
}

/// What the body of a response shares with its call.
pub(crate) struct SharedWithCall {
    aborted: Arc<AtomicBool>,
    /// Tells the call, by being dropped, that the body is gone.
    _gone: oneshot::Sender<()>,
}

/// Aborts the body of a call's response when this is dropped, unless it is disarmed. A
/// call that times out or is cancelled is dropped. Without this its body would end as if
/// it were complete.
#[derive(Default)]
pub(crate) struct AbortOnDrop {
    aborted: Arc<AtomicBool>,
    disarmed: AtomicBool,
}

impl ResponseBody {
    pub(crate) fn new(body: HyperOutgoingBody, shared: SharedWithCall) -> Self {
        Self { body, shared, is_over: false }
    }
}

impl AbortOnDrop {
    /// What the body of the response shares with this call, and a receiver whose sender
    /// is dropped with the body.
    pub(crate) fn share(&self) -> (SharedWithCall, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        (SharedWithCall { aborted: Arc::clone(&self.aborted), _gone: sender }, gone)
    }

    /// Lets the body end well.
    pub(crate) fn disarm(&self) {
        self.disarmed.store(true, Ordering::Relaxed);
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if !self.disarmed.load(Ordering::Relaxed) {
            self.aborted.store(true, Ordering::Release);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = HttpBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpBodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.is_over = !matches!(frame, Some(Ok(_)));
        Poll::Ready(match frame {
            Some(frame) => Some(frame.map_err(HttpBodyError::from)),
            None if self.shared.aborted.load(Ordering::Acquire) => Some(Err("the function failed".into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
