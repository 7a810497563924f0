//! The streaming doors: output leaves while the function runs.
//!
//! The run is a task of its own here, beside its reader: a reader that does not
//! read must not keep the deadline from being looked at. It ends with its reader.

use crate::core::{Core, unwinding};
use crate::door::Door;
use crate::{Execution, Invocation, Reply, RequestError, Runtime, Store};
use crate::{HttpBodyError, HttpRequest, HttpResponse, OutputMode};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use pilum_types::ExecutionId;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// Pieces a guest may be ahead of its reader. A piece has at most 64 KiB, and often
/// 4 KiB, which is how WASI cuts what a command writes.
const CHUNKS_AHEAD_MAX: usize = 32;
/// How far pieces that wait are put together, in bytes: a message for every 4 KiB
/// would cost more than what it carries.
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// A call whose output is read while it runs. Dropping it stops the call.
#[derive(Debug)]
pub struct StreamingCall {
    id: ExecutionId,
    chunks: mpsc::Receiver<Bytes>,
    /// A piece that did not fit to the ones before it.
    held: Option<Bytes>,
    run: Option<AbortOnDropHandle<Result<Reply, RequestError>>>,
}

/// What a stream gives.
#[derive(Debug)]
pub enum Chunk {
    /// Output.
    Bytes(Bytes),
    /// The end, after all output.
    End(Arc<Execution>),
}

/// How a request to an http handler was answered.
#[derive(Debug)]
pub enum HttpReply {
    /// By the handler. The call ends with the body: one that is dropped halfway
    /// stops it, one that was read to its end lets it finish within its time.
    Response(HttpResponse),
    /// Not at all: the execution ended without a response.
    Ended(Arc<Execution>),
}

impl StreamingCall {
    /// The execution's id.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// The next piece, or the end, and `None` after it.
    ///
    /// # Errors
    /// When the host fails.
    pub async fn next(&mut self) -> Result<Option<Chunk>, RequestError> {
        let first = match self.held.take() {
            Some(held) => Some(held),
            None => self.chunks.recv().await,
        };
        if let Some(first) = first {
            return Ok(Some(Chunk::Bytes(self.with_waiting(first))));
        }
        let Some(run) = &mut self.run else { return Ok(None) };
        let ended = run.await;
        self.run = None;
        match ended.map_err(|error| RequestError::Internal(error.to_string()))?? {
            Reply::Finished(execution) | Reply::Pending { execution, estimate: _ } => {
                Ok(Some(Chunk::End(execution)))
            }
        }
    }
}

impl StreamingCall {
    /// A piece and those that wait behind it, as far as they fit.
    fn with_waiting(&mut self, first: Bytes) -> Bytes {
        let mut whole = BytesMut::new();
        while let Ok(next) = self.chunks.try_recv() {
            if first.len().max(whole.len()) + next.len() > CHUNK_MAX_BYTES {
                self.held = Some(next);
                break;
            }
            if whole.is_empty() {
                whole.reserve(CHUNK_MAX_BYTES);
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&next);
        }
        if whole.is_empty() { first } else { whole.freeze() }
    }
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs a call whose output is streamed; returns once it is an execution.
    pub(crate) async fn invoke_stream(
        self: &Arc<Self>,
        invocation: Invocation,
    ) -> Result<StreamingCall, RequestError> {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD_MAX);
        let (admitted, admission) = oneshot::channel();
        let door = Door { request: None, output: OutputMode::Stream(sender), admitted: Some(admitted) };
        let mut run = AbortOnDropHandle::new(self.tracker.spawn(self.guarded(invocation, door)));
        match admission.await {
            Ok(id) => Ok(StreamingCall { id, chunks, held: None, run: Some(run) }),
            // It is over without having been admitted: refused, or the repeat of
            // another, which has ended.
            Err(_over) => {
                match (&mut run).await.map_err(|error| RequestError::Internal(error.to_string()))?? {
                    Reply::Finished(execution) | Reply::Pending { execution, estimate: _ } => {
                        let id = execution.id.clone();
                        let reply = Ok(Reply::Finished(execution));
                        let run = AbortOnDropHandle::new(self.tracker.spawn(std::future::ready(reply)));
                        Ok(StreamingCall { id, chunks, held: None, run: Some(run) })
                    }
                }
            }
        }
    }

    /// Has a task's http handler answer a request. The call runs here, in this
    /// future, until there is a response; what is left then runs beside its body.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        invocation: Invocation,
        request: HttpRequest,
    ) -> Result<HttpReply, RequestError> {
        let (sender, mut responses) = mpsc::channel(1);
        let is_head = request.method() == http::Method::HEAD;
        let door = Door { request: Some(request), output: OutputMode::HttpResponse(sender), admitted: None };
        let mut run = Box::pin(self.guarded(invocation, door));
        tokio::select! {
            biased;
            reply = &mut run => match (reply?, responses.try_recv()) {
                (_, Ok(response)) => Ok(HttpReply::Response(response)),
                (Reply::Finished(execution) | Reply::Pending { execution, estimate: _ }, Err(_)) => {
                    Ok(HttpReply::Ended(execution))
                }
            },
            Some(response) = responses.recv() => {
                let run = AbortOnDropHandle::new(self.tracker.spawn(run));
                let left = if is_head { Some(0) } else { body_bytes(&response) };
                Ok(HttpReply::Response(response.map(|body| Accompanied { body, run: Some(run), left }.boxed_unsync())))
            }
        }
    }

    /// The call as a future of its own, in which a panic is a refusal.
    fn guarded(
        self: &Arc<Self>,
        invocation: Invocation,
        door: Door,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + 'static {
        let core = Arc::clone(self);
        async move {
            let run = unwinding(core.invoke_sync(invocation, Some(Box::new(door))));
            run.await.unwrap_or_else(|text| Err(RequestError::Internal(text)))
        }
    }
}

/// How many bytes of a response's body are sent, where that is known beforehand.
fn body_bytes(response: &HttpResponse) -> Option<u64> {
    let has_none = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || response.body().is_end_stream() {
        return Some(0);
    }
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body and the rest of the call that writes it.
struct Accompanied<B> {
    body: B,
    run: Option<AbortOnDropHandle<Result<Reply, RequestError>>>,
    /// Bytes still to come, where the response says how many it has.
    left: Option<u64>,
}

impl<B: Body<Data = Bytes, Error = HttpBodyError> + Unpin> Body for Accompanied<B> {
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

impl<B> Drop for Accompanied<B> {
    /// Whoever has all of it needs the call no more, but the call may have
    /// something to finish; whoever goes before that takes it along.
    fn drop(&mut self) {
        if let Some(run) = self.run.take().filter(|_| self.left == Some(0)) {
            drop(run.detach());
        }
    }
}
