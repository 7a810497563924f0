//! How many bytes of unfinished requests the host holds, and for how long.
//!
//! A message is gathered before anything can look at it, so many connections
//! with many streams, each of which sends most of a long message and stops,
//! could fill the memory. Here every byte that comes in is taken from one
//! budget and given back when its message is whole.

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

/// The one route whose requests are many messages.
const UPLOAD: &str = "/pilum.v1.HostService/UploadArtifact";

/// The budget of a server. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    /// A permit per byte. Never closed.
    bytes: Arc<Semaphore>,
}

impl Intake {
    /// A budget as the limits say.
    pub(crate) fn new(limits: &GatewayLimits) -> Self {
        let bytes = limits.request_bytes_in_flight_max.min(Semaphore::MAX_PERMITS);
        Self { bytes: Arc::new(Semaphore::new(bytes)) }
    }

    /// The request with its body on the budget.
    pub(crate) fn meter(&self, request: Request<Body>) -> Request<Body> {
        // Of many messages, each is read while the next comes in.
        let passes = request.uri().path() == UPLOAD;
        request.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            let intake = Arc::clone(&self.bytes);
            Body::new(Metered { body, intake, held: None, deadline: None, passes })
        })
    }
}

/// A body whose bytes are on the budget until it is dropped, which is when its
/// message has been read.
#[derive(Debug)]
struct Metered {
    body: Body,
    intake: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    /// Whether what came before is given back with each frame.
    passes: bool,
    /// Set when the sender first pauses; most requests are there at once.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    fn take(&mut self, bytes: usize) -> Result<(), Status> {
        let permits = u32::try_from(bytes).map_err(|_| too_much())?;
        let taken = Arc::clone(&self.intake).try_acquire_many_owned(permits).map_err(|_| too_much())?;
        match &mut self.held {
            Some(held) => held.merge(taken),
            None => self.held = Some(taken),
        }
        Ok(())
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = || Box::pin(tokio::time::sleep(REQUEST_BODY_TIMEOUT));
        self.deadline.get_or_insert_with(sleep).as_mut().poll(context)
    }
}

impl hyper::body::Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if this.passes {
                    (this.held, this.deadline) = (None, None);
                }
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Poll::Ready(Some(this.take(bytes).map(|()| frame)))
            }
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending if this.poll_late(context).is_ready() => Poll::Ready(Some(Err(too_slow()))),
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

fn too_much() -> Status {
    Status::resource_exhausted("too many requests are coming in at once; try again later")
}

fn too_slow() -> Status {
    Status::deadline_exceeded("the request took too long to come in")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use tonic::Code;

    fn intake(max: usize) -> Intake {
        Intake::new(&GatewayLimits { request_bytes_in_flight_max: max, ..GatewayLimits::default() })
    }

    /// A body of frames of these sizes that then ends, or never does.
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

    fn meter(intake: &Intake, body: Body) -> Body {
        intake.meter(Request::new(body)).into_body()
    }

    #[tokio::test]
    async fn bytes_are_held_until_the_body_is_dropped() {
        let intake = intake(100);
        let mut first = meter(&intake, body(&[40, 40], true));
        assert_eq!((next(&mut first).await, next(&mut first).await), (Some(Ok(40)), Some(Ok(40))));
        let mut second = meter(&intake, body(&[40], true));
        assert_eq!(next(&mut second).await, Some(Err(Code::ResourceExhausted)));
        assert_eq!(next(&mut first).await, None);
        drop(first);
        let mut third = meter(&intake, body(&[100], true));
        assert_eq!(next(&mut third).await, Some(Ok(100)));
    }

    #[tokio::test]
    async fn an_upload_holds_no_more_than_what_comes_in() {
        let intake = intake(100);
        let mut request = Request::new(body(&[60, 60, 60], true));
        *request.uri_mut() = UPLOAD.parse().unwrap();
        let mut upload = intake.meter(request).into_body();
        for _ in 0..3 {
            assert_eq!(next(&mut upload).await, Some(Ok(60)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stops_is_cut_off() {
        let intake = intake(100);
        let mut stalled = meter(&intake, body(&[10], false));
        assert_eq!(next(&mut stalled).await, Some(Ok(10)));
        let since = tokio::time::Instant::now();
        assert_eq!(next(&mut stalled).await, Some(Err(Code::DeadlineExceeded)));
        assert_eq!(since.elapsed(), REQUEST_BODY_TIMEOUT);
    }
}
