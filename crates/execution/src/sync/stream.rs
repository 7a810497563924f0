//! Calls whose output is streamed while the function runs.
//!
//! The run is a spawned task beside its reader: the deadline must be checked even if the
//! reader does not read. The run ends when its reader goes away.

use super::SyncCalls;
use super::io::CallIo;
use crate::ctx::catch_panic::catch_panic;
use crate::{Execution, Invocation, OutputMode, Reply, RequestError, Runtime, Store};
use bytes::{Bytes, BytesMut};
use pilum_types::ExecutionId;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// How many chunks wait for a slow reader. A chunk has at most 64 KiB, and often
/// 4 KiB: WASI cuts a command's output into pieces of that size.
const CHUNKS_WAITING_MAX: usize = 32;
/// Waiting chunks are joined up to this size, in bytes: a message for every 4 KiB would cost
/// more than its content.
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// A call whose output is read while it runs. Dropping it stops the call.
#[derive(Debug)]
pub struct StreamingCall {
    id: ExecutionId,
    chunks: mpsc::Receiver<Bytes>,
    /// A chunk that did not fit into the joined chunk before it.
    next: Option<Bytes>,
    run: Option<AbortOnDropHandle<Result<Reply, RequestError>>>,
}

/// One item of a stream.
#[derive(Debug)]
pub enum Chunk {
    /// Output.
    Bytes(Bytes),
    /// The end, after all output.
    End(Arc<Execution>),
}

impl StreamingCall {
    /// The execution's id.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// The next chunk; then the end; then `None`.
    ///
    /// # Errors
    /// When the host fails.
    pub async fn next(&mut self) -> Result<Option<Chunk>, RequestError> {
        let first = match self.next.take() {
            Some(next) => Some(next),
            None => self.chunks.recv().await,
        };
        if let Some(first) = first {
            return Ok(Some(Chunk::Bytes(self.join_waiting(first))));
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

    /// Joins a chunk with the waiting chunks after it, up to the bound.
    fn join_waiting(&mut self, first: Bytes) -> Bytes {
        let mut joined = BytesMut::new();
        while let Ok(next) = self.chunks.try_recv() {
            if first.len().max(joined.len()) + next.len() > CHUNK_MAX_BYTES {
                self.next = Some(next);
                break;
            }
            if joined.is_empty() {
                joined.reserve(CHUNK_MAX_BYTES);
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&next);
        }
        if joined.is_empty() { first } else { joined.freeze() }
    }
}

impl<R: Runtime, S: Store> SyncCalls<R, S> {
    /// Runs a call whose output is streamed; returns once the call is an execution.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        invocation: Invocation,
    ) -> Result<StreamingCall, RequestError> {
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (admitted, admission) = oneshot::channel();
        let io = CallIo { request: None, output: OutputMode::Stream(sender), admitted: Some(admitted) };
        let run = self.lifecycle.tracker.spawn(self.invoke_catching_panics(invocation, io));
        let mut run = AbortOnDropHandle::new(run);
        match admission.await {
            Ok(id) => Ok(StreamingCall { id, chunks, next: None, run: Some(run) }),
            // The call ended without being admitted: it was refused, or it repeats another
            // call that has ended.
            Err(_ended) => {
                match (&mut run).await.map_err(|error| RequestError::Internal(error.to_string()))?? {
                    Reply::Finished(execution) | Reply::Pending { execution, estimate: _ } => {
                        let id = execution.id.clone();
                        let reply = Ok(Reply::Finished(execution));
                        let run =
                            AbortOnDropHandle::new(self.lifecycle.tracker.spawn(std::future::ready(reply)));
                        Ok(StreamingCall { id, chunks, next: None, run: Some(run) })
                    }
                }
            }
        }
    }

    /// The call as a future of its own. A panic becomes an error.
    pub(super) fn invoke_catching_panics(
        self: &Arc<Self>,
        invocation: Invocation,
        io: CallIo,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<R, S> {
        let calls = Arc::clone(self);
        async move {
            let reply = catch_panic(calls.invoke(invocation, Some(Box::new(io))));
            reply.await.unwrap_or_else(|text| Err(RequestError::Internal(text)))
        }
    }
}
