//! Bytes from a web server: one request at a time, every redirect checked.

use crate::ArtifactError;
use crate::receive::{PartialBlob, ReceivedBlob};
use crate::retry::AttemptError;
use http::StatusCode;
use pilum_outbound::{Outbound, OutboundError, Response, check_redirect};
use url::Url;

/// Redirects followed: a mirror, a CDN without a login, a storage bucket, and two more.
const REDIRECTS_MAX: usize = 5;

/// Fetches artifacts from web servers.
pub(crate) struct Web {
    outbound: Outbound,
    max_bytes: u64,
}

impl Web {
    /// Sends requests by `outbound`, and takes bodies up to `max_bytes`.
    pub(crate) fn new(outbound: Outbound, max_bytes: u64) -> Self {
        Self { outbound, max_bytes }
    }

    /// Makes one attempt: follows redirects to a response and takes its body.
    pub(crate) async fn fetch(&self, url: &Url, mut blob: PartialBlob) -> Result<ReceivedBlob, AttemptError> {
        let mut response = self.open(url).await?;
        if response.content_length().is_some_and(|length| length > self.max_bytes) {
            return Err(ArtifactError::TooLarge { max_bytes: self.max_bytes }.into());
        }
        while let Some(chunk) = response.chunk().await.map_err(request_error)? {
            blob.write(&chunk).await?;
        }
        Ok(blob.finish().await?)
    }

    async fn open(&self, url: &Url) -> Result<Response, AttemptError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.outbound.get(&url).await.map_err(request_error)?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                status if is_redirect(status) => url = redirect_target(&url, response.redirect_location())?,
                status => return Err(status_error(status)),
            }
        }
        Err(AttemptError::Permanent(format!("it redirects more than {REDIRECTS_MAX} times")))
    }
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

/// The URL that a redirect leads to, if it may be followed.
fn redirect_target(from: &Url, location: Option<&str>) -> Result<Url, AttemptError> {
    let Some(next) = location.and_then(|location| from.join(location).ok()) else {
        return Err(AttemptError::Permanent("it redirects without saying where to".to_owned()));
    };
    check_redirect(&next).map_err(ArtifactError::from)?;
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err(ArtifactError::location("it redirects from https: to http:").into());
    }
    Ok(next)
}

/// A status that is neither 200 nor a redirect.
fn status_error(status: StatusCode) -> AttemptError {
    let cause = format!("the server answered {status}");
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if may_pass { AttemptError::Transient(cause) } else { AttemptError::Permanent(cause) }
}

/// Every failure of the transport may pass: a refused connection, a name that is not
/// found yet, a body that breaks off. A URL or an address that this host refuses stays
/// refused.
fn request_error(error: OutboundError) -> AttemptError {
    match error {
        OutboundError::InvalidUrl(invalid) => AttemptError::Artifact(invalid.into()),
        OutboundError::AddressNotPublic { host } => {
            AttemptError::Artifact(ArtifactError::AddressNotPublic { host })
        }
        OutboundError::NotConnected(cause) | OutboundError::Timeout(cause) | OutboundError::Broken(cause) => {
            AttemptError::Transient(cause)
        }
        OutboundError::Status(status) => status_error(status),
        error @ OutboundError::Setup(_) => AttemptError::Artifact(ArtifactError::Storage(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_from_https_to_http_is_refused() {
        let secure = "https://example.com/a/b".parse().unwrap();
        let plain = "http://example.com/a/b".parse().unwrap();
        let leads = |from, to| redirect_target(from, Some(to)).map(String::from);
        assert_eq!(leads(&secure, "c").unwrap(), "https://example.com/a/c");
        assert_eq!(leads(&secure, "//mirror.example/c").unwrap(), "https://mirror.example/c");
        assert_eq!(leads(&plain, "https://example.com/").unwrap(), "https://example.com/");
        let refused = leads(&secure, "http://example.com/").unwrap_err();
        assert!(
            matches!(refused, AttemptError::Artifact(ArtifactError::InvalidLocation { .. })),
            "{refused:?}"
        );
        assert!(matches!(leads(&secure, "http://["), Err(AttemptError::Permanent(_))));
    }
}
