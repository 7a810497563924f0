//! Small answers leave together.
//!
//! h2 asks a connection once, when it is made, whether it can write several
//! buffers in one system call. Where it can, every message of 256 bytes or more
//! is such a buffer of its own, and whatever follows it, if only its trailers,
//! takes another system call. Where it cannot, messages below 1 KiB are copied
//! behind one another and leave in one. Answers to calls are some 350 bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// Writes of as many bytes do not wait: copying them costs more than the call.
const SMALL_WRITE_MAX_BYTES: usize = 8 * 1024;
/// After so many turns in a row that brought nothing, of as many writes as two to
/// that power one waits.
const VAIN_TURNS_MAX: u32 = 6;

/// A gRPC connection that writes large messages without copying them, and says
/// so once h2 has asked.
#[derive(Debug)]
pub(crate) struct Answers<Io> {
    io: Io,
    written: bool,
    turn: Turn,
}

#[derive(Debug, Default)]
struct Turn {
    /// What there was to write when the turn began.
    waits_with: Option<usize>,
    vain: u32,
    skip: u32,
}

impl Turn {
    fn poll(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        if let Some(before) = self.waits_with.take() {
            self.vain = if bytes > before { 0 } else { (self.vain + 1).min(VAIN_TURNS_MAX) };
            self.skip = (1 << self.vain) - 1;
        } else if self.skip > 0 {
            self.skip -= 1;
        } else if bytes < SMALL_WRITE_MAX_BYTES {
            self.waits_with = Some(bytes);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<Io> Answers<Io> {
    /// The connection, before h2 has asked it anything.
    pub(crate) fn new(io: Io) -> Self {
        Self { io, written: false, turn: Turn::default() }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Answers<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Answers<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.written = true;
        std::task::ready!(this.turn.poll(context, bytes.len()));
        Pin::new(&mut this.io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        std::task::ready!(this.turn.poll(context, slices.iter().map(|slice| slice.len()).sum()));
        Pin::new(&mut this.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.written && self.io.is_write_vectored()
    }
}

impl<Io: Connected> Connected for Answers<Io> {
    type ConnectInfo = Io::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.io.connect_info()
    }
}
