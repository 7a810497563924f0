//! Connections: how many, and for how long one may say nothing.
//!
//! A [`Gate`] admits a bounded number. When it is full, the oldest connection
//! that has not yet spoken makes room for the new one, so that any number of
//! silent sockets cannot keep a client out; if all have spoken, the new one is
//! closed at once and its client can go elsewhere.

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

/// Bytes a gRPC client sends before anything else: the HTTP/2 preface (24) and
/// the head of its SETTINGS frame (9). From then on pings watch over it.
pub(crate) const HTTP2_OPENING_BYTES: usize = 24 + 9;
/// Bytes after which an HTTP/1 connection is no longer silent. From then on the
/// timeout of the request's head watches over it.
pub(crate) const HTTP1_OPENING_BYTES: usize = 1;

/// A connection that holds `H` (a place, a signal) until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<Io, H> {
    io: Io,
    /// `Some` until the client has said enough.
    opening: Option<Opening>,
    _held: H,
}

/// What a connection is under until its client has said enough.
#[derive(Debug)]
struct Opening {
    bytes_left: usize,
    deadline: Pin<Box<Sleep>>,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    /// What makes the gate know that this connection can be evicted.
    _evictable: Arc<CancellationToken>,
}

/// Admits connections. One accept loop uses it.
#[derive(Debug)]
pub(crate) struct Gate {
    /// A permit per open connection. Never closed.
    places: Arc<Semaphore>,
    places_max: usize,
    opening_bytes: usize,
    opening_timeout: Duration,
    /// Connections that may not have spoken yet, the oldest first.
    silent: VecDeque<Weak<CancellationToken>>,
}

impl<Io, H> Held<Io, H> {
    /// A connection without a handshake deadline.
    pub(crate) fn open(io: Io, held: H) -> Self {
        Self { io, opening: None, _held: held }
    }
}

impl Gate {
    /// A gate for connections that speak `opening_bytes` first.
    pub(crate) fn new(limits: &GatewayLimits, opening_bytes: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            places_max: limits.connections_max,
            opening_bytes,
            opening_timeout: limits.handshake_timeout,
            silent: VecDeque::new(),
        }
    }

    /// Gives the connection a place, or drops it when there is none.
    async fn admit<Io>(&mut self, io: Io) -> Option<Held<Io, OwnedSemaphorePermit>> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_full) => {
                self.evict_oldest_silent()?;
                let freed = Arc::clone(&self.places).acquire_owned();
                tokio::time::timeout(EVICTION_WAIT, freed).await.ok()?.ok()?
            }
        };
        let evictable = Arc::new(CancellationToken::new());
        if self.silent.len() >= self.places_max {
            self.silent.retain(|token| token.strong_count() > 0);
        }
        self.silent.push_back(Arc::downgrade(&evictable));
        let opening = Opening {
            bytes_left: self.opening_bytes,
            deadline: Box::pin(tokio::time::sleep(self.opening_timeout)),
            evicted: Box::pin(CancellationToken::clone(&evictable).cancelled_owned()),
            _evictable: evictable,
        };
        Some(Held { io, opening: Some(opening), _held: place })
    }

    fn evict_oldest_silent(&mut self) -> Option<()> {
        while let Some(token) = self.silent.pop_front() {
            if let Some(token) = token.upgrade() {
                token.cancel();
                return Some(());
            }
        }
        None
    }
}

/// The connections of a listener that its gate admits. Never ends.
pub(crate) fn accept(
    listener: TcpListener,
    gate: Gate,
) -> impl Stream<Item = io::Result<Held<TcpStream, OwnedSemaphorePermit>>> {
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(TCP_KEEPALIVE_AFTER))
        .with_keepalive_interval(Some(TCP_KEEPALIVE_INTERVAL))
        .with_keepalive_retries(Some(TCP_KEEPALIVE_PROBES));
    futures::stream::unfold((incoming, gate), async |(mut incoming, mut gate)| {
        loop {
            match incoming.next().await? {
                Ok(io) => match gate.admit(io).await {
                    Some(connection) => return Some((Ok(connection), (incoming, gate))),
                    None => tracing::warn!("all connections are taken, one more was closed"),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
                }
            }
        }
    })
}

impl Opening {
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        self.evicted.as_mut().poll(context)
    }
}

impl<Io: AsyncRead + Unpin, H: Unpin> AsyncRead for Held<Io, H> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(opening) = &mut this.opening else {
            return Pin::new(&mut this.io).poll_read(context, buffer);
        };
        if opening.poll_over(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        opening.bytes_left = opening.bytes_left.saturating_sub(buffer.filled().len() - before);
        if opening.bytes_left == 0 {
            this.opening = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Held<Io, H> {
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

impl<Io, H> Connected for Held<Io, H> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests;
