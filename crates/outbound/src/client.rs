//! The one HTTP client: every request is checked, none follows a redirect.

use crate::error::{InvalidUrl, OutboundError, with_causes};
use crate::resolver::{Resolver, not_public_host};
use crate::url_rules::{check_redirect, parse_url};
use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, redirect};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Time for a connection with its TLS handshake: several round trips around the
/// world, and a fetch of an artifact still has time for a retry.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time without a single byte before a request fails. It is shorter than the time for
/// a whole fetch of an artifact, so that a stalled server is tried again.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines taken from a server: object stores send about thirty.
const HEADERS_MAX: usize = 100;
/// What servers see in their logs.
const USER_AGENT: &str = concat!("pilum/", env!("CARGO_PKG_VERSION"));

/// Sends requests to URLs that a stranger chose. Cheap to clone.
///
/// Redirects are not followed: a caller that wants to follow one checks the new URL
/// with [`check_redirect`] and sends another request.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    resolver: Resolver,
}

/// The answer to [`Outbound::get`]: its head is here, its body is still to come.
pub struct Response(reqwest::Response);

impl Outbound {
    /// Prepares a client with the system's resolver; connects nowhere. The operator
    /// sets `allow_private_addresses`, one for each kind of request.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when TLS cannot be set up.
    pub fn new(allow_private_addresses: bool) -> Result<Self, OutboundError> {
        Self::with_resolver(Resolver::system(allow_private_addresses))
    }

    /// The same with another resolver. Tests replace both the addresses that are
    /// allowed and the lookup of names.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when TLS cannot be set up.
    pub fn with_resolver(resolver: Resolver) -> Result<Self, OutboundError> {
        Ok(Self { client: client(&resolver)?, resolver })
    }

    /// Whether a request can be sent to `url`, as far as its text tells. A name is not
    /// resolved here, so the request itself may still be refused.
    ///
    /// # Errors
    /// [`OutboundError::InvalidUrl`] or [`OutboundError::AddressNotPublic`].
    pub fn check(url: &str, allow_private_addresses: bool) -> Result<(), OutboundError> {
        Resolver::system(allow_private_addresses).check_literal(&parse_url(url)?)
    }

    /// Gets `url`. A response of any status is `Ok`.
    ///
    /// # Errors
    /// Every [`OutboundError`] except `Status` and `Setup`.
    pub async fn get(&self, url: &Url) -> Result<Response, OutboundError> {
        check_redirect(url)?;
        self.resolver.check_literal(url)?;
        self.client.get(url.clone()).send().await.map(Response).map_err(request_error)
    }

    /// Posts `body` and waits for the answer for at most `timeout`. Any status of the
    /// 200s is `Ok`; the body of the answer is not read.
    ///
    /// # Errors
    /// Every [`OutboundError`] except `Setup`.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(), OutboundError> {
        let url = parse_url(url)?;
        self.resolver.check_literal(&url)?;
        let mut request = self.client.post(url).timeout(timeout).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let status = request.send().await.map_err(request_error)?.status();
        if status.is_success() { Ok(()) } else { Err(OutboundError::Status(status)) }
    }

    /// Sends any request, and returns the response with its body still to come. A
    /// response of any status is `Ok`.
    ///
    /// # Errors
    /// Every [`OutboundError`] except `Status` and `Setup`.
    pub async fn send<B>(
        &self,
        request: http::Request<B>,
    ) -> Result<http::Response<reqwest::Body>, OutboundError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let url = parse_url(&parts.uri.to_string())?;
        self.resolver.check_literal(&url)?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if !body.is_end_stream() {
            *request.body_mut() = Some(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        self.client.execute(request).await.map(Into::into).map_err(request_error)
    }
}

impl Response {
    /// The status, of which any may come.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Where a redirect leads, as the server wrote it; `None` when it does not say so
    /// in readable text.
    pub fn redirect_location(&self) -> Option<&str> {
        self.0.headers().get(LOCATION).and_then(|value| value.to_str().ok())
    }

    /// The length of the body in bytes, where the server announced it.
    pub fn content_length(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// The next bytes of the body; `None` at its end. A body that ends before its
    /// announced length is an error.
    ///
    /// # Errors
    /// [`OutboundError::Timeout`] or [`OutboundError::Broken`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        self.0.chunk().await.map_err(request_error)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status())
    }
}

fn client(resolver: &Resolver) -> Result<Client, OutboundError> {
    // A process has one default provider. Where another part of the process has
    // installed one, that one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = builder(resolver).build().or_else(|error| {
        let cause = with_causes(&error);
        tracing::warn!(cause, "no certificate authorities on this machine: https: URLs will not work");
        builder(resolver).tls_certs_only([]).build()
    });
    client.map_err(|error| OutboundError::Setup(with_causes(&error)))
}

fn builder(resolver: &Resolver) -> ClientBuilder {
    let mut headers = HeaderMap::new();
    // An artifact's digest is that of the file, not of a compressed form of it.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .dns_resolver(Arc::new(resolver.clone()))
        .redirect(redirect::Policy::none())
        // A proxy would connect in place of this host, to addresses that nobody checked.
        .no_proxy()
        // Another crate may switch these features on. Bytes stay as the server sent them.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .retry(reqwest::retry::never())
        // Every request resolves and connects anew, so that no request uses a
        // connection whose address was checked long ago.
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .http1_max_headers(HEADERS_MAX)
}

/// The URL is left out of the text: its query may hold a signature.
fn request_error(error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    if let Some(host) = not_public_host(&error) {
        return OutboundError::AddressNotPublic { host };
    }
    let cause = with_causes(&error);
    if error.is_builder() {
        InvalidUrl { reason: cause }.into()
    } else if error.is_timeout() {
        OutboundError::Timeout(cause)
    } else if error.is_connect() {
        OutboundError::NotConnected(cause)
    } else {
        OutboundError::Broken(cause)
    }
}

#[cfg(test)]
mod tests;
