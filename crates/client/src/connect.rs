//! Connects to a host.

use crate::error::ClientError;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint};

/// How long connecting may take: much longer than any round trip, and short enough for a
/// person to wait.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection with running calls is pinged. Servers commonly close a
/// connection that is pinged more often. Together with the next bound, the calls of a
/// host that vanished fail within 40 seconds.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long the answer to a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The endpoint that errors show for a host that is reached over a stream.
const IN_PROCESS: &str = "http://in-process";

/// Connects over TCP. `HOST:PORT` means `http://HOST:PORT`.
pub(crate) async fn over_tcp(endpoint: &str) -> Result<Channel, ClientError> {
    let uri = if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let malformed = || ClientError::Endpoint { endpoint: endpoint.to_owned() };
    if !uri.starts_with("http://") {
        return Err(malformed());
    }
    let channel = configured(&uri).map_err(|_| malformed())?.connect().await;
    channel.map_err(|cause| ClientError::Unreachable { endpoint: uri, cause: cause.into() })
}

/// Connects over a stream, once. When the stream breaks, all calls fail.
pub(crate) async fn over_stream<Io>(io: Io) -> Result<Channel, ClientError>
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The channel asks for a connection whenever it has none; this one can be given once.
    let io = Mutex::new(Some(io));
    let connector = tower::service_fn(move |_| {
        let io = io.lock().unwrap_or_else(PoisonError::into_inner).take();
        let io = io.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(io)
    });
    let unreachable = |cause: tonic::transport::Error| ClientError::Unreachable {
        endpoint: IN_PROCESS.to_owned(),
        cause: cause.into(),
    };
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
    async fn malformed_endpoints() {
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
        let error = over_tcp(&address).await.expect_err("no host listens");
        assert_eq!(
            error.to_string(),
            format!("no host answers at http://{address}; start one with `pilum serve`, or name another")
        );
    }
}
