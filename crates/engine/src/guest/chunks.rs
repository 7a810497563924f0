//! A command's standard output that is streamed to its reader while the command runs.

use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that a guest may write at once, and so the size of the largest chunk: small
/// enough that the other streams of a connection do not wait long for it, large enough
/// to fill a link.
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// The stream that a guest's WASI context has. A guest may open it several times.
#[derive(Debug)]
pub(crate) struct ChunkStream {
    chunks: mpsc::Sender<Bytes>,
    /// Room in the channel for the next chunk, once the guest has been told that it may
    /// write.
    room: Option<mpsc::OwnedPermit<Bytes>>,
}

/// The stream for asynchronous writers.
struct ChunkWriter(PollSender<Bytes>);

impl ChunkStream {
    /// A stream into `chunks`.
    pub(crate) fn new(chunks: mpsc::Sender<Bytes>) -> Self {
        Self { chunks, room: None }
    }
}

impl OutputStream for ChunkStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self.room.take() {
            Some(room) if bytes.len() <= CHUNK_MAX_BYTES => {
                room.send(bytes);
                Ok(())
            }
            Some(_) | None => Err(StreamError::trap("a write beyond what was permitted")),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.room.is_none() {
            match self.chunks.clone().try_reserve_owned() {
                Ok(room) => self.room = Some(room),
                Err(mpsc::error::TrySendError::Full(_)) => return Ok(0),
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(StreamError::Closed),
            }
        }
        Ok(CHUNK_MAX_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for ChunkStream {
    /// Returns when the channel has room, or when the reader has gone.
    async fn ready(&mut self) {
        if self.room.is_none() {
            self.room = self.chunks.clone().reserve_owned().await.ok();
        }
    }
}

impl IsTerminal for ChunkStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ChunkStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self::new(self.chunks.clone()))
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(ChunkWriter(PollSender::new(self.chunks.clone())))
    }
}

impl AsyncWrite for ChunkWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let closed = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        ready!(self.0.poll_reserve(cx)).map_err(|_| closed())?;
        let chunk = bytes.get(..CHUNK_MAX_BYTES).unwrap_or(bytes);
        self.0.send_item(Bytes::copy_from_slice(chunk)).map_err(|_| closed())?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}
