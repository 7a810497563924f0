//! A command's standard output that leaves while it is written.

use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes a guest may write at a time, which is how large a piece gets: small
/// enough not to hold up the other streams of a connection, large enough to fill
/// a link.
const PIECE_MAX_BYTES: usize = 64 << 10;

/// The stream as a guest's WASI has it. A guest may open it several times.
#[derive(Debug)]
pub(crate) struct PieceStream {
    pieces: mpsc::Sender<Bytes>,
    /// Room for the next piece, once the guest was told that there is some.
    room: Option<mpsc::OwnedPermit<Bytes>>,
}

impl PieceStream {
    /// A stream into `pieces`.
    pub(crate) fn new(pieces: mpsc::Sender<Bytes>) -> Self {
        Self { pieces, room: None }
    }
}

impl OutputStream for PieceStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self.room.take() {
            Some(room) if bytes.len() <= PIECE_MAX_BYTES => {
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
            match self.pieces.clone().try_reserve_owned() {
                Ok(room) => self.room = Some(room),
                Err(mpsc::error::TrySendError::Full(_)) => return Ok(0),
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(StreamError::Closed),
            }
        }
        Ok(PIECE_MAX_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for PieceStream {
    /// Ready when there is room, or nobody who reads.
    async fn ready(&mut self) {
        if self.room.is_none() {
            self.room = self.pieces.clone().reserve_owned().await.ok();
        }
    }
}

impl IsTerminal for PieceStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for PieceStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self::new(self.pieces.clone()))
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(PieceWriter(PollSender::new(self.pieces.clone())))
    }
}

/// The same for whoever writes asynchronously.
struct PieceWriter(PollSender<Bytes>);

impl AsyncWrite for PieceWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let closed = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        ready!(self.0.poll_reserve(cx)).map_err(|_| closed())?;
        let piece = bytes.get(..PIECE_MAX_BYTES).unwrap_or(bytes);
        self.0.send_item(Bytes::copy_from_slice(piece)).map_err(|_| closed())?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}
