//! Requests that guests send. A request leaves only to an address that the task was
//! granted, and through a port that the host implements, because this crate knows no
//! network.

use futures::future::BoxFuture;
use http::uri::Scheme;
use http_body_util::BodyExt as _;
use pilum_call::{HttpBody, HttpResponse};
use pilum_types::Policy;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Requests that one instance may have under way. Toolchains open a few connections at
/// once; the bound keeps one guest from using up the host's sockets.
const REQUESTS_AT_ONCE: usize = 16;
/// Bytes of a body that a guest may write at once. The host holds two such chunks for
/// a body that nobody reads.
const BODY_CHUNK_BYTES: usize = 16 << 10;
/// Ports of the two schemes, for a URI that names none.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Sends guests' requests. The host decides which addresses guests may reach: a granted
/// name may resolve to an address that is not allowed.
pub trait SendRequest: fmt::Debug + Send + Sync {
    /// Sends a request and returns the response. Redirects are not followed.
    fn send(&self, request: http::Request<HttpBody>) -> SendFuture;
}

/// A request that is being sent.
pub type SendFuture = BoxFuture<'static, Result<HttpResponse, SendError>>;

/// Why a request got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Guests may not reach the address.
    #[error("the address is not allowed")]
    AddressNotAllowed,
    /// No server accepted the connection, or the name does not resolve.
    #[error("the connection was refused")]
    Refused,
    /// The host has as many guests' requests under way as it may have.
    #[error("too many requests are under way")]
    TooMany,
    /// The server did not answer in time.
    #[error("the request timed out")]
    Timeout,
    /// The connection or the protocol broke.
    #[error("the connection broke")]
    Broken,
}

/// The outgoing requests of one instance.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// One permit for each request under way, until the body of its response has been
    /// read. Never closed.
    permits: Arc<Semaphore>,
    /// The policy whose grants allow requests; `None` allows none.
    pub(crate) policy: Option<Arc<Policy>>,
    /// Sends the requests; `None` sends none.
    pub(crate) sender: Option<Arc<dyn SendRequest>>,
}

/// What wasmtime wants for a request: the response, and a future that ends with the
/// connection.
type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl Default for Outgoing {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)), policy: None, sender: None }
    }
}

impl Outgoing {
    /// Whether requests are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.permits.available_permits() < REQUESTS_AT_ONCE
    }

    fn is_granted(&self, uri: &http::Uri) -> bool {
        let scheme_port = if uri.scheme() == Some(&Scheme::HTTPS) { HTTPS_PORT } else { HTTP_PORT };
        let Some(host) = uri.host().map(str::to_ascii_lowercase) else { return false };
        let port = uri.port_u16().unwrap_or(scheme_port);
        let grants = self.policy.iter().flat_map(|policy| &policy.grants.http);
        grants.into_iter().any(|grant| grant.covers(&host, port, scheme_port))
    }
}

impl WasiHttpHooks for Outgoing {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _written: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let granted = self.is_granted(request.uri());
        let Some(sender) = self.sender.clone().filter(|_| granted) else {
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Box::new(std::future::ready(Err(Error::ConnectionLimitReached)));
        };
        // The sender bounds how long connecting may take.
        let first_byte = options.and_then(|options| options.first_byte_timeout);
        Box::new(async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            let sending = sender.send(request);
            let answered = match first_byte {
                // The call's own deadline still applies.
                None => sending.await,
                Some(bound) => tokio::time::timeout(bound, sending).await.unwrap_or(Err(SendError::Timeout)),
            };
            let response = answered.map_err(wasi_error)?;
            let response = response.map(|body| {
                let with_permit = move |frame| {
                    // The closure owns the permit, so the permit lives as long as the body.
                    let _ = &permit;
                    frame
                };
                body.map_err(|_| Error::ConnectionTerminated).map_frame(with_permit).boxed_unsync()
            });
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

/// The error that the guest gets.
fn wasi_error(error: SendError) -> Error {
    match error {
        SendError::AddressNotAllowed => Error::DestinationIpProhibited,
        SendError::Refused => Error::ConnectionRefused,
        SendError::TooMany => Error::ConnectionLimitReached,
        SendError::Timeout => Error::ConnectionTimeout,
        SendError::Broken => Error::ConnectionTerminated,
    }
}
