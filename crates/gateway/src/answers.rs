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

/// Whether a small write waits one turn of the run queue, in which calls that are
/// ready to run add their answers. The runtime polls a connection that a call has
/// woken before anything else, so each answer would else be written by itself.
#[derive(Debug, Default)]
struct Turn {
    /// What there was to write when the turn began, in bytes.
    waits_with: Option<usize>,
    /// Turns in a row that brought nothing.
    vain: u32,
    /// Writes to come that do not wait.
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::io::IoSlice;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    fn pair() -> (Answers<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1 << 20);
        (Answers::new(near), far)
    }

    /// Offers so many bytes once; how many were written, if any.
    fn offer(answers: &mut Answers<DuplexStream>, bytes: usize) -> Option<usize> {
        let bytes = vec![7; bytes];
        let slices = [IoSlice::new(&bytes)];
        let written = std::future::poll_fn(|context| {
            let polled = Pin::new(&mut *answers).poll_write_vectored(context, &slices);
            Poll::Ready(polled.map(|written| written.expect("written")))
        });
        match written.now_or_never().expect("polled once") {
            Poll::Ready(written) => Some(written),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_write_waits_as_long_as_that_brings_more() {
        let (mut answers, _far) = pair();
        for _ in 0..10 {
            assert_eq!(offer(&mut answers, 100), None, "it waits its turn");
            assert_eq!(offer(&mut answers, 300), Some(300), "two answers more have come");
        }
    }

    #[tokio::test]
    async fn turns_that_bring_nothing_become_rare() {
        let (mut answers, _far) = pair();
        let mut waited = 0;
        for _ in 0..1_000 {
            if offer(&mut answers, 100).is_none() {
                waited += 1;
                assert_eq!(offer(&mut answers, 100), Some(100));
            }
            // Else tokio itself makes a write wait once in a while.
            tokio::task::yield_now().await;
        }
        assert!((10..30).contains(&waited), "{waited} of 1,000 writes waited");
    }

    #[tokio::test]
    async fn large_writes_do_not_wait() {
        let (mut answers, _far) = pair();
        assert_eq!(offer(&mut answers, SMALL_WRITE_MAX_BYTES), Some(SMALL_WRITE_MAX_BYTES));
    }

    #[tokio::test]
    async fn several_buffers_are_offered_after_the_first_write_and_all_bytes_arrive() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await;
        let (mut far, _) = listener.accept().await.expect("accepted");
        let mut answers = Answers::new(near.expect("connected"));
        assert!(!answers.is_write_vectored(), "h2 asks now, once");
        for _ in 0..100 {
            answers.write_all(b"answer").await.expect("written");
        }
        assert!(answers.is_write_vectored());
        drop(answers);
        let mut text = String::new();
        far.read_to_string(&mut text).await.expect("read");
        assert_eq!(text, "answer".repeat(100));
    }
}
