//! How many connections a listener has, and how long a new one may send nothing.
//!
//! A [`ConnectionLimiter`] admits a bounded number. When all places are taken, it
//! evicts the oldest connection whose client has not completed its handshake, so that
//! silent sockets cannot keep a real client out. If all clients have completed their
//! handshakes, the new connection is closed at once, and its client can try another
//! host.

use crate::limits::{
    ACCEPT_ERROR_PAUSE, EVICTION_WAIT, GatewayLimits, TCP_KEEPALIVE_AFTER, TCP_KEEPALIVE_INTERVAL,
    TCP_KEEPALIVE_PROBES,
};
use futures::{Stream, StreamExt as _};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpIncoming};

/// The handshake of a gRPC client, in bytes: the HTTP/2 preface (24) and the head of
/// its SETTINGS frame (9). After these bytes, HTTP/2 pings find a dead client.
pub(crate) const HTTP2_HANDSHAKE_BYTES: usize = 24 + 9;
/// The handshake of an HTTP/1 client, in bytes: the first byte of its request. After
/// it, the timeout of the request's head applies.
pub(crate) const HTTP1_HANDSHAKE_BYTES: usize = 1;

/// Admits connections. One accept loop uses it.
#[derive(Debug)]
pub(crate) struct ConnectionLimiter {
    /// A permit per open connection. Never closed.
    permits: Arc<Semaphore>,
    connections_max: usize,
    handshake_bytes: usize,
    handshake_timeout: Duration,
    /// Connections whose handshake may be incomplete, the oldest first. An entry is
    /// dead when its handshake is complete or its connection is closed. At most
    /// `connections_max` are alive.
    in_handshake: VecDeque<Weak<CancellationToken>>,
}

/// An open connection. It keeps `Guard` (a permit, or a signal to send on the drop)
/// until it is dropped.
#[derive(Debug)]
pub(crate) struct AdmittedConnection<Io, Guard> {
    io: Io,
    /// `Some` until the client has completed its handshake.
    handshake: Option<Handshake>,
    _guard: Guard,
}

/// How long a client may still take to complete its handshake.
#[derive(Debug)]
struct Handshake {
    bytes_left: usize,
    deadline: Pin<Box<Sleep>>,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    /// While this lives, the limiter can evict the connection.
    _evictable: Arc<CancellationToken>,
}

impl ConnectionLimiter {
    /// A limiter for connections whose handshake has `handshake_bytes`.
    pub(crate) fn new(limits: &GatewayLimits, handshake_bytes: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            connections_max: limits.connections_max,
            handshake_bytes,
            handshake_timeout: limits.handshake_timeout,
            in_handshake: VecDeque::new(),
        }
    }

    /// Gives the connection a permit, or closes the connection when there is none.
    async fn admit<Io>(&mut self, io: Io) -> Option<AdmittedConnection<Io, OwnedSemaphorePermit>> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_none_left) => {
                self.evict_oldest_in_handshake()?;
                let freed = Arc::clone(&self.permits).acquire_owned();
                tokio::time::timeout(EVICTION_WAIT, freed).await.ok()?.ok()?
            }
        };
        let evictable = Arc::new(CancellationToken::new());
        if self.in_handshake.len() >= self.connections_max {
            self.in_handshake.retain(|token| token.strong_count() > 0);
        }
        self.in_handshake.push_back(Arc::downgrade(&evictable));
        let handshake = Handshake {
            bytes_left: self.handshake_bytes,
            deadline: Box::pin(tokio::time::sleep(self.handshake_timeout)),
            evicted: Box::pin(CancellationToken::clone(&evictable).cancelled_owned()),
            _evictable: evictable,
        };
        Some(AdmittedConnection { io, handshake: Some(handshake), _guard: permit })
    }

    /// Evicts one connection; `None` if every handshake is complete.
    fn evict_oldest_in_handshake(&mut self) -> Option<()> {
        while let Some(token) = self.in_handshake.pop_front() {
            if let Some(token) = token.upgrade() {
                token.cancel();
                return Some(());
            }
        }
        None
    }
}

impl<Io, Guard> AdmittedConnection<Io, Guard> {
    /// A connection that has no handshake deadline.
    pub(crate) fn without_handshake(io: Io, guard: Guard) -> Self {
        Self { io, handshake: None, _guard: guard }
    }
}

/// The connections of a listener that its limiter admits. The stream never ends.
pub(crate) fn accept(
    listener: TcpListener,
    limiter: ConnectionLimiter,
) -> impl Stream<Item = io::Result<AdmittedConnection<TcpStream, OwnedSemaphorePermit>>> {
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(TCP_KEEPALIVE_AFTER))
        .with_keepalive_interval(Some(TCP_KEEPALIVE_INTERVAL))
        .with_keepalive_retries(Some(TCP_KEEPALIVE_PROBES));
    futures::stream::unfold((incoming, limiter), async |(mut incoming, mut limiter)| {
        loop {
            match incoming.next().await? {
                Ok(io) => match limiter.admit(io).await {
                    Some(connection) => return Some((Ok(connection), (incoming, limiter))),
                    None => tracing::warn!(
                        "the listener has as many connections as it may have; a new one was closed"
                    ),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
                }
            }
        }
    })
}

impl Handshake {
    /// Ready when the deadline has passed or the limiter has evicted the connection.
    fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        self.evicted.as_mut().poll(context)
    }
}

impl<Io: AsyncRead + Unpin, Guard: Unpin> AsyncRead for AdmittedConnection<Io, Guard> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(handshake) = &mut this.handshake else {
            return Pin::new(&mut this.io).poll_read(context, buffer);
        };
        if handshake.poll_expired(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        handshake.bytes_left = handshake.bytes_left.saturating_sub(buffer.filled().len() - before);
        if handshake.bytes_left == 0 {
            this.handshake = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin, Guard: Unpin> AsyncWrite for AdmittedConnection<Io, Guard> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
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
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl<Io, Guard> Connected for AdmittedConnection<Io, Guard> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests;
