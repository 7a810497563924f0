//! Requests that guests send out: to where their task was granted, through a door
//! that the host provides, since this crate knows no network.

use http::uri::Scheme;
use http_body_util::BodyExt as _;
use pilum_call::{HttpBody, HttpResponse};
use pilum_types::Policy;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Requests that one instance may have under way.
const REQUESTS_AT_ONCE: usize = 16;
/// Bytes of a body that a guest may write at a time.
const BODY_CHUNK_BYTES: usize = 16 << 10;

/// Sends guests' requests. Addresses are its own business: what a granted name
/// resolves to may still be none that a guest may reach.
pub trait SendRequest: fmt::Debug + Send + Sync {
    /// Sends a request and returns what is answered, following no redirect.
    fn send(&self, request: http::Request<HttpBody>) -> Sending;
}

/// A request on its way.
pub type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Its address is none that guests may reach.
    #[error("the address is not allowed")]
    AddressNotAllowed,
    /// Nobody took the connection, or the name does not resolve.
    #[error("the connection was refused")]
    Refused,
    /// As many are under way as may be.
    #[error("too many requests are under way")]
    TooMany,
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The connection or the protocol broke.
    #[error("the connection broke")]
    Broken,
}

/// One task's way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Turns to have a request under way, its answer's body included. Never closed.
    turns: Arc<Semaphore>,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) sender: Option<Arc<dyn SendRequest>>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)), policy: None, sender: None }
    }
}

impl Outgoing {
    /// Whether requests are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.turns.available_permits() < REQUESTS_AT_ONCE
    }

    fn is_granted(&self, uri: &http::Uri) -> bool {
        let own_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let Some(host) = uri.host().map(str::to_ascii_lowercase) else { return false };
        let port = uri.port_u16().unwrap_or(own_port);
        let grants = self.policy.iter().flat_map(|policy| &policy.grants.http);
        grants.into_iter().any(|grant| grant.covers(&host, port, own_port))
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Outgoing {
    /// Two of these stand in the host's memory for a body that nobody reads.
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
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else {
            return Box::new(std::future::ready(Err(Error::ConnectionLimitReached)));
        };
        // How long a connection may take is the sender's own business.
        let first_byte = options.and_then(|options| options.first_byte_timeout);
        Box::new(async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            let sending = sender.send(request);
            let answered = match first_byte {
                // The call's own deadline stands over all of this.
                None => sending.await,
                Some(bound) => tokio::time::timeout(bound, sending).await.unwrap_or(Err(SendError::Timeout)),
            };
            let response = answered.map_err(error_of)?;
            let response = response.map(|body| {
                let held = move |frame| {
                    // Held for as long as the body is.
                    let _ = &turn;
                    frame
                };
                body.map_err(|_| Error::ConnectionTerminated).map_frame(held).boxed_unsync()
            });
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

fn error_of(error: SendError) -> Error {
    match error {
        SendError::AddressNotAllowed => Error::DestinationIpProhibited,
        SendError::Refused => Error::ConnectionRefused,
        SendError::TooMany => Error::ConnectionLimitReached,
        SendError::Timeout => Error::ConnectionTimeout,
        SendError::Broken => Error::ConnectionTerminated,
    }
}
