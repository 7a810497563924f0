//! A connection that sends small responses together, in one system call.
//!
//! h2 asks a connection once, when the connection is made, whether it can write
//! several buffers in one system call (a vectored write). If it can, h2 makes every
//! message of 256 bytes or more a buffer of its own, and what follows the message,
//! even only its trailers, takes another system call. If it cannot, h2 copies messages
//! below 1 KiB behind one another, and they leave in one system call. A response to a
//! call has about 350 bytes, so this connection first says that it cannot.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// A write of this many bytes or more is not delayed: copying the bytes would cost
/// more than the system call that it saves.
const SMALL_WRITE_MAX_BYTES: usize = 8 * 1024;
/// After `n` delays in a row that brought no more bytes, one write of every `2^n` is
/// delayed. `n` grows to this bound, so at least one write of 64 tries again.
const USELESS_DELAYS_MAX: u32 = 6;

/// A gRPC connection that says it has no vectored writes when h2 asks, before the
/// first write, and uses them all the same for large messages.
#[derive(Debug)]
pub(crate) struct CoalescingIo<Io> {
    io: Io,
    /// Whether something was written: h2 has asked by then.
    has_written: bool,
    delay: WriteDelay,
}

/// Decides which small writes are delayed by one pass of the runtime's run queue. In
/// this pass the calls that are ready to run add their responses. Without the delay
/// each response would be written alone, because the runtime polls the connection that
/// a call has woken before it polls anything else.
#[derive(Debug, Default)]
struct WriteDelay {
    /// `Some` while a write is delayed: how many bytes it had when the delay began.
    delayed_bytes: Option<usize>,
    /// How many delays in a row brought no more bytes; at most [`USELESS_DELAYS_MAX`].
    useless_delays: u32,
    /// How many of the next writes are not delayed.
    skip: u32,
}

impl WriteDelay {
    /// Whether `bytes` may be written now. If not, the connection is polled again after
    /// one pass of the run queue.
    fn poll(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        if let Some(before) = self.delayed_bytes.take() {
            let useless = (self.useless_delays + 1).min(USELESS_DELAYS_MAX);
            self.useless_delays = if bytes > before { 0 } else { useless };
            self.skip = (1 << self.useless_delays) - 1;
        } else if self.skip > 0 {
            self.skip -= 1;
        } else if bytes < SMALL_WRITE_MAX_BYTES {
            self.delayed_bytes = Some(bytes);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<Io> CoalescingIo<Io> {
    /// Wraps a connection about which h2 has not asked anything yet.
    pub(crate) fn new(io: Io) -> Self {
        Self { io, has_written: false, delay: WriteDelay::default() }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for CoalescingIo<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for CoalescingIo<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.has_written = true;
        std::task::ready!(this.delay.poll(context, bytes.len()));
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
        std::task::ready!(this.delay.poll(context, slices.iter().map(|slice| slice.len()).sum()));
        Pin::new(&mut this.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.has_written && self.io.is_write_vectored()
    }
}

impl<Io: Connected> Connected for CoalescingIo<Io> {
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

    fn pair() -> (CoalescingIo<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1 << 20);
        (CoalescingIo::new(near), far)
    }

    /// Polls one write of so many bytes; returns how many bytes were written, if any.
    fn offer(io: &mut CoalescingIo<DuplexStream>, bytes: usize) -> Option<usize> {
        let bytes = vec![7; bytes];
        let slices = [IoSlice::new(&bytes)];
        let written = std::future::poll_fn(|context| {
            let polled = Pin::new(&mut *io).poll_write_vectored(context, &slices);
            Poll::Ready(polled.map(|written| written.expect("written")))
        });
        match written.now_or_never().expect("polled once") {
            Poll::Ready(written) => Some(written),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn writes_are_delayed_while_delays_bring_more_bytes() {
        let (mut io, _far) = pair();
        for _ in 0..10 {
            assert_eq!(offer(&mut io, 100), None, "the write is delayed");
            assert_eq!(offer(&mut io, 300), Some(300), "two more responses have come");
        }
    }

    #[tokio::test]
    async fn delays_that_bring_nothing_become_rare() {
        let (mut io, _far) = pair();
        let mut delayed = 0;
        for _ in 0..1_000 {
            if offer(&mut io, 100).is_none() {
                delayed += 1;
                assert_eq!(offer(&mut io, 100), Some(100));
            }
            // Without this, tokio's own budget would delay a write now and then.
            tokio::task::yield_now().await;
        }
        assert!((10..30).contains(&delayed), "{delayed} of 1,000 writes were delayed");
    }

    #[tokio::test]
    async fn large_writes_are_not_delayed() {
        let (mut io, _far) = pair();
        assert_eq!(offer(&mut io, SMALL_WRITE_MAX_BYTES), Some(SMALL_WRITE_MAX_BYTES));
    }

    #[tokio::test]
    async fn vectored_writes_are_used_after_the_first_write_and_all_bytes_arrive() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await;
        let (mut far, _) = listener.accept().await.expect("accepted");
        let mut io = CoalescingIo::new(near.expect("connected"));
        assert!(!io.is_write_vectored(), "h2 asks once, before the first write");
        for _ in 0..100 {
            io.write_all(b"answer").await.expect("written");
        }
        assert!(io.is_write_vectored());
        drop(io);
        let mut text = String::new();
        far.read_to_string(&mut text).await.expect("read");
        assert_eq!(text, "answer".repeat(100));
    }
}
