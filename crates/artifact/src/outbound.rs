//! Requests to where a stranger's URL points, under the rules for locations.

use crate::ArtifactError;
use crate::location::{Location, check_web};
use crate::network::{Network, NotPublic};
use crate::web;
use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;
use reqwest::Client;
use std::time::Duration;
use url::Url;

/// Sends what a stranger wants sent to a URL of theirs. Redirects are not
/// followed: whoever wants to be told says where.
pub struct Outbound {
    client: Client,
    network: Network,
}

/// Why something did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It may not be sent there. Another try changes nothing.
    #[error("{0}")]
    Refused(String),
    /// It did not get there, or was answered with an error. May pass.
    #[error("{0}")]
    Failed(String),
}

impl Outbound {
    /// Prepares a client; connects nowhere.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when TLS cannot be set up.
    pub fn new(allow_private_addresses: bool) -> Result<Self, ArtifactError> {
        let network = Network::system(allow_private_addresses);
        Ok(Self { client: web::client(&network)?, network })
    }

    /// Whether a URL can be sent to at all, as far as its text tells.
    ///
    /// # Errors
    /// The rule it breaks, for people.
    pub fn check(url: &str, allow_private_addresses: bool) -> Result<(), String> {
        parse(url, &Network::system(allow_private_addresses)).map(drop)
    }

    /// Posts `body`, and waits for the answer for at most `timeout`. Any status
    /// of the 200s is fine; what the answer holds is not read.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(), OutboundError> {
        let url = parse(url, &self.network).map_err(OutboundError::Refused)?;
        let mut request = self.client.post(url).timeout(timeout).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(sending_failed)?;
        let status = response.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(OutboundError::Failed(format!("it was answered {status}")))
        }
    }
}

impl Outbound {
    /// Sends a request and gives back what is answered, as it comes. Follows no
    /// redirect.
    ///
    /// # Errors
    /// See [`OutboundRequestError`].
    pub async fn send<B>(
        &self,
        request: http::Request<B>,
    ) -> Result<http::Response<reqwest::Body>, OutboundRequestError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let url =
            parse(&parts.uri.to_string(), &self.network).map_err(|_| OutboundRequestError::NotAllowed)?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if !body.is_end_stream() {
            *request.body_mut() = Some(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let response = self.client.execute(request).await.map_err(|error| request_failed(&error))?;
        Ok(response.into())
    }
}

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundRequestError {
    /// It may not be sent there.
    NotAllowed,
    /// Nobody took the connection, or its name does not resolve.
    NotConnected,
    /// It took too long.
    Timeout,
    /// The connection or the protocol broke.
    Broken,
}

fn request_failed(error: &reqwest::Error) -> OutboundRequestError {
    if NotPublic::within(error).is_some() {
        OutboundRequestError::NotAllowed
    } else if error.is_timeout() {
        OutboundRequestError::Timeout
    } else if error.is_connect() {
        OutboundRequestError::NotConnected
    } else {
        OutboundRequestError::Broken
    }
}

fn parse(url: &str, network: &Network) -> Result<Url, String> {
    let url = match Location::parse(url).map_err(reason)? {
        Location::Web(url) => url,
        Location::File(_) | Location::Uploaded => return Err("it must be an https: or http: URL".to_owned()),
    };
    check_web(&url).and_then(|()| network.check_literal(&url)).map_err(reason)?;
    Ok(url)
}

/// The rule that was broken, without a word of artifacts.
fn reason(error: ArtifactError) -> String {
    match error {
        ArtifactError::InvalidLocation { reason } => reason,
        ArtifactError::AddressNotPublic { host } => {
            format!("it leads to {host}, whose address is not public")
        }
        other => other.to_string(),
    }
}

/// What went wrong with a request that was sent or was to be.
fn sending_failed(error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    match NotPublic::within(&error) {
        Some(refused) => OutboundError::Refused(reason(refused)),
        None => OutboundError::Failed(web::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_judged_by_the_rules_for_locations() {
        let check = |url: &str, says: Option<&str>| match (Outbound::check(url, false), says) {
            (Ok(()), None) => {}
            (Err(reason), Some(says)) => assert!(reason.contains(says), "{url}: {reason}"),
            (found, _) => panic!("{url}: {found:?}"),
        };
        check("https://example.com/hook?a=1", None);
        check("file:///etc/passwd", Some("https: or http:"));
        check("http://127.0.0.1/", Some("not public"));
        check("http://[::ffff:10.0.0.1]/", Some("not public"));
        check("http://2130706433/", Some("not public"));
        check("https://user:word@example.com/", Some("credentials"));
        check("gopher://example.com/", Some("gopher"));
        check("https:/example.com", Some("scheme://"));
        assert!(Outbound::check("http://127.0.0.1/", true).is_ok());
    }
}
