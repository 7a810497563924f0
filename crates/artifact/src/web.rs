//! Bytes from a web server: one request at a time, every hop checked.

use crate::incoming::{Incoming, Received};
use crate::location::check_web;
use crate::network::{Network, NotPublic};
use crate::retry::Failure;
use crate::{ArtifactConfig, ArtifactError};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Response, StatusCode, redirect};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Redirects followed: a mirror, a login-free CDN, a storage bucket, and two more.
const MAX_REDIRECTS: usize = 5;
/// Time for a connection with its TLS handshake: several round trips round the
/// world, and it leaves room for retries within the fetch.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time without a single byte before a try counts as failed. Shorter than the
/// fetch, so that a stalled server is tried again.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines taken from a server: object stores send about thirty.
const MAX_HEADERS: usize = 100;
/// What servers see in their logs.
const USER_AGENT: &str = concat!("pilum/", env!("CARGO_PKG_VERSION"));

/// A client that connects where the network's policy allows.
pub(crate) struct Web {
    client: Client,
    network: Network,
    max_bytes: u64,
}

impl Web {
    /// Prepares a client; connects nowhere.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when TLS cannot be set up.
    pub(crate) fn new(config: &ArtifactConfig, network: Network) -> Result<Self, ArtifactError> {
        Ok(Self { client: client(&network)?, network, max_bytes: config.max_bytes })
    }

    /// One try: follows redirects to a response and takes its body.
    pub(crate) async fn fetch(&self, url: &Url, mut incoming: Incoming) -> Result<Received, Failure> {
        let mut response = self.open(url).await?;
        if response.content_length().is_some_and(|length| length > self.max_bytes) {
            return Err(ArtifactError::TooLarge { max_bytes: self.max_bytes }.into());
        }
        // A body that ends before its announced length is an error here, too.
        while let Some(chunk) = response.chunk().await.map_err(classify)? {
            incoming.write(&chunk).await?;
        }
        Ok(incoming.finish().await?)
    }

    async fn open(&self, url: &Url) -> Result<Response, Failure> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.network.check_literal(&url)?;
            let response = self.client.get(url.clone()).send().await.map_err(classify)?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                status if is_redirect(status) => {
                    let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    url = next_hop(&url, target)?;
                }
                status => return Err(refused(status)),
            }
        }
        Err(Failure::Lasting(format!("it redirects more than {MAX_REDIRECTS} times")))
    }
}

/// A client that connects where the network's policy allows.
///
/// # Errors
/// [`ArtifactError::Storage`] when TLS cannot be set up.
pub(crate) fn client(network: &Network) -> Result<Client, ArtifactError> {
    // One per process; where another part of the host was first, its choice stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = builder(network).build().or_else(|error| {
        let cause = chain(&error);
        tracing::warn!(cause, "no certificate authorities on this machine: https: locations will not work");
        builder(network).tls_certs_only([]).build()
    });
    client.map_err(|error| ArtifactError::storage("cannot set up the HTTP client", chain(&error)))
}

fn builder(network: &Network) -> ClientBuilder {
    let mut headers = HeaderMap::new();
    // The digest is that of the file, not of a compressed form of it.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .dns_resolver(Arc::new(network.clone()))
        .redirect(redirect::Policy::none())
        // A proxy would connect in our stead, to addresses nobody checked.
        .no_proxy()
        // Whatever features other crates switch on: bytes stay as they came.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .retry(reqwest::retry::never())
        // Every request resolves and connects anew, so that none rides on a
        // connection whose address was judged long ago.
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .http1_max_headers(MAX_HEADERS)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// Where a redirect leads, if it may.
fn next_hop(from: &Url, target: Option<&str>) -> Result<Url, Failure> {
    let Some(next) = target.and_then(|target| from.join(target).ok()) else {
        return Err(Failure::Lasting("it redirects without saying where to".to_owned()));
    };
    check_web(&next)?;
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err(ArtifactError::location("it redirects from https: to http:").into());
    }
    Ok(next)
}

/// A status that is neither the bytes nor a redirect.
fn refused(status: StatusCode) -> Failure {
    let cause = format!("the server answered {status}");
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if may_pass { Failure::Passing(cause) } else { Failure::Lasting(cause) }
}

/// A failure of the transport. All of them may pass (a refused connection, a
/// name not found yet, a broken body), but for an address we refused ourselves.
fn classify(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(not_public) = NotPublic::within(&error) {
        return Failure::Refused(not_public);
    }
    if error.is_builder() {
        return Failure::Refused(ArtifactError::location(chain(&error)));
    }
    Failure::Passing(chain(&error))
}

/// An error with its causes in one line, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_do_not_give_up_encryption() {
        let secure = "https://example.com/a/b".parse().unwrap();
        let plain = "http://example.com/a/b".parse().unwrap();
        let leads = |from, to| next_hop(from, Some(to)).map(String::from);
        assert_eq!(leads(&secure, "c").unwrap(), "https://example.com/a/c");
        assert_eq!(leads(&secure, "//mirror.example/c").unwrap(), "https://mirror.example/c");
        assert_eq!(leads(&plain, "https://example.com/").unwrap(), "https://example.com/");
        let refused = leads(&secure, "http://example.com/").unwrap_err();
        assert!(matches!(refused, Failure::Refused(ArtifactError::InvalidLocation { .. })), "{refused:?}");
        assert!(matches!(leads(&secure, "http://["), Err(Failure::Lasting(_))));
    }
}
