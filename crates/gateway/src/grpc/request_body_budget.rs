//! How many bytes of unfinished gRPC requests the host holds, and for how long.
//!
//! A message must be complete before anything can read it. Many streams that each send
//! most of a long message and then stop could therefore fill the memory. Every byte that
//! comes in is taken from one budget, and given back when its message is complete.

use crate::error::ApiError;
use crate::limits::{GatewayLimits, REQUEST_BODY_TIMEOUT};
use axum::http::Request;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

/// The path of the one RPC whose request is a stream of messages.
const UPLOAD_PATH: &str = "/pilum.v1.HostService/UploadArtifact";

/// The budget of one server, for all its gRPC connections. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct RequestBodyBudget {
    /// A permit per byte, [`GatewayLimits::request_bytes_in_flight_max`] in all. Never
    /// closed.
    bytes: Arc<Semaphore>,
}

impl RequestBodyBudget {
    /// A budget of the size that the limits give.
    pub(crate) fn new(limits: &GatewayLimits) -> Self {
        let bytes = limits.request_bytes_in_flight_max.min(Semaphore::MAX_PERMITS);
        Self { bytes: Arc::new(Semaphore::new(bytes)) }
    }

    /// The request, with a body that takes its bytes from the budget.
    pub(crate) fn meter(&self, request: Request<Body>) -> Request<Body> {
        // Each message of an upload is read while the next one comes in.
        let is_upload = request.uri().path() == UPLOAD_PATH;
        request.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            let budget = Arc::clone(&self.bytes);
            Body::new(MeteredBody { body, budget, taken: None, deadline: None, is_upload })
        })
    }
}

/// A body that gives its bytes back to the budget when it is dropped. The server drops
/// it when the message has been read.
#[derive(Debug)]
struct MeteredBody {
    body: Body,
    budget: Arc<Semaphore>,
    /// The bytes that this body has taken.
    taken: Option<OwnedSemaphorePermit>,
    /// Whether each frame gives back the bytes of the frame before.
    is_upload: bool,
    /// Set when the sender pauses for the first time. Most requests come in without a
    /// pause and need no timer.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl MeteredBody {
    fn take(&mut self, bytes: usize) -> Result<(), ApiError> {
        let permits = u32::try_from(bytes).map_err(|_| ApiError::RequestBytesExhausted)?;
        let permit = Arc::clone(&self.budget).try_acquire_many_owned(permits);
        let permit = permit.map_err(|_| ApiError::RequestBytesExhausted)?;
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            None => self.taken = Some(permit),
        }
        Ok(())
    }

    /// Ready when the sender has taken longer than [`REQUEST_BODY_TIMEOUT`].
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = || Box::pin(tokio::time::sleep(REQUEST_BODY_TIMEOUT));
        self.deadline.get_or_insert_with(sleep).as_mut().poll(context)
    }
}

impl hyper::body::Body for MeteredBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if this.is_upload {
                    (this.taken, this.deadline) = (None, None);
                }
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Poll::Ready(Some(this.take(bytes).map(|()| frame).map_err(Status::from)))
            }
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending if this.poll_deadline(context).is_ready() => {
                Poll::Ready(Some(Err(ApiError::RequestBodyTimeout.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use tonic::Code;

    fn budget(max: usize) -> RequestBodyBudget {
        RequestBodyBudget::new(&GatewayLimits {
            request_bytes_in_flight_max: max,
            ..GatewayLimits::default()
        })
    }

    /// A body of frames of these sizes, which then ends or stays open for ever.
    fn body(sizes: &[usize], ends: bool) -> Body {
        let frames: Vec<_> = sizes.iter().map(|size| Bytes::from(vec![0; *size])).collect();
        let frames = futures::stream::iter(frames).map(|data| Ok::<_, Status>(Frame::data(data)));
        if ends {
            Body::new(Frames(frames.boxed()))
        } else {
            Body::new(Frames(frames.chain(futures::stream::pending()).boxed()))
        }
    }

    struct Frames(futures::stream::BoxStream<'static, Result<Frame<Bytes>, Status>>);

    impl hyper::body::Body for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            self.0.poll_next_unpin(context)
        }
    }

    async fn next(body: &mut Body) -> Option<Result<usize, Code>> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        Some(frame.map(|frame| frame.data_ref().map_or(0, Bytes::len)).map_err(|status| status.code()))
    }

    fn meter(budget: &RequestBodyBudget, body: Body) -> Body {
        budget.meter(Request::new(body)).into_body()
    }

    #[tokio::test]
    async fn a_body_keeps_its_bytes_until_it_is_dropped() {
        let budget = budget(100);
        let mut first = meter(&budget, body(&[40, 40], true));
        assert_eq!((next(&mut first).await, next(&mut first).await), (Some(Ok(40)), Some(Ok(40))));
        let mut second = meter(&budget, body(&[40], true));
        assert_eq!(next(&mut second).await, Some(Err(Code::ResourceExhausted)));
        assert_eq!(next(&mut first).await, None);
        drop(first);
        let mut third = meter(&budget, body(&[100], true));
        assert_eq!(next(&mut third).await, Some(Ok(100)));
    }

    #[tokio::test]
    async fn an_upload_keeps_only_the_bytes_of_its_last_frame() {
        let budget = budget(100);
        let mut request = Request::new(body(&[60, 60, 60], true));
        *request.uri_mut() = UPLOAD_PATH.parse().unwrap();
        let mut upload = budget.meter(request).into_body();
        for _ in 0..3 {
            assert_eq!(next(&mut upload).await, Some(Ok(60)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_pauses_for_too_long_gets_an_error() {
        let budget = budget(100);
        let mut stalled = meter(&budget, body(&[10], false));
        assert_eq!(next(&mut stalled).await, Some(Ok(10)));
        let since = tokio::time::Instant::now();
        assert_eq!(next(&mut stalled).await, Some(Err(Code::DeadlineExceeded)));
        assert_eq!(since.elapsed(), REQUEST_BODY_TIMEOUT);
    }
}
