//! Reaching a host.

use crate::ClientError;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint};

/// How long connecting may take: far above any round trip, and short enough for
/// a person to wait.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection with calls under way is pinged, and how long the
/// answer may take: a vanished host fails its calls in 40 seconds. Not more
/// often than servers commonly put up with.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// See [`KEEPALIVE_INTERVAL`].
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// What errors call a host that is reached over a stream.
const IN_PROCESS: &str = "http://in-process";

/// Connects over TCP; `HOST:PORT` alone means `http://HOST:PORT`.
pub(crate) async fn over_tcp(endpoint: &str) -> Result<Channel, ClientError> {
    let uri = if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let wrong = || ClientError::Endpoint { endpoint: endpoint.to_owned() };
    if !uri.starts_with("http://") {
        return Err(wrong());
    }
    let channel = configured(&uri).map_err(|_| wrong())?.connect().await;
    channel.map_err(|cause| ClientError::Unreachable { endpoint: uri, cause })
}

/// Connects over a stream, once: when it breaks, so do all calls.
pub(crate) async fn over_stream<Io>(io: Io) -> Result<Channel, ClientError>
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The channel asks for a connection whenever it has none; there is one to give.
    let io = Mutex::new(Some(io));
    let connector = tower::service_fn(move |_| {
        let io = io.lock().unwrap_or_else(PoisonError::into_inner).take();
        let io = io.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(io)
    });
    let unreachable = |cause| ClientError::Unreachable { endpoint: IN_PROCESS.to_owned(), cause };
    let endpoint = configured(IN_PROCESS).map_err(unreachable)?;
    endpoint.connect_with_connector(connector).await.map_err(unreachable)
}

fn configured(uri: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned())?
        .user_agent(concat!("pilum/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn endpoints_that_cannot_be() {
        for endpoint in ["", "https://127.0.0.1:1", "unix:///x", "http://", "a b"] {
            let error = over_tcp(endpoint).await.expect_err(endpoint);
            assert!(matches!(error, ClientError::Endpoint { .. }), "{endpoint}: {error}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_says_how_to_start_a_host() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let error = over_tcp(&address).await.expect_err("nobody listens");
        assert_eq!(
            error.to_string(),
            format!("no host answers at http://{address}; start one with `pilum serve`, or name another")
        );
    }
}
