//! The body of an http handler's response.

use crate::{HttpBodyError, HttpResponse, Reply, RequestError};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio_util::task::AbortOnDropHandle;

/// How many bytes the body of a response has, if the response says so.
pub(super) fn body_bytes(response: &HttpResponse) -> Option<u64> {
    let has_none = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || response.body().is_end_stream() {
        return Some(0);
    }
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A response's body together with the call that writes it.
pub(super) struct BodyWithCall<B> {
    body: B,
    run: Option<AbortOnDropHandle<Result<Reply, RequestError>>>,
    /// How many bytes of the body are not read yet, if that is known.
    left: Option<u64>,
}

impl<B> BodyWithCall<B> {
    /// `left` is the length of the body in bytes, if it is known.
    pub(super) fn new(
        body: B,
        run: AbortOnDropHandle<Result<Reply, RequestError>>,
        left: Option<u64>,
    ) -> Self {
        Self { body, run: Some(run), left }
    }
}

impl<B: Body<Data = Bytes, Error = HttpBodyError> + Unpin> Body for BodyWithCall<B> {
    type Data = Bytes;
    type Error = HttpBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpBodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(bytes));
            }
            Some(Err(_)) => {}
            None => self.left = Some(0),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for BodyWithCall<B> {
    /// If the reader has read the whole body, the call continues to its end. If the reader goes
    /// away before that, the call stops.
    fn drop(&mut self) {
        if let Some(run) = self.run.take().filter(|_| self.left == Some(0)) {
            drop(run.detach());
        }
    }
}
