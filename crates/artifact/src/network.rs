//! Which addresses may be connected to, enforced where names become addresses.
//!
//! The check sits inside the resolver that the HTTP client connects through, so
//! the address that was checked is the address that is connected to: a name
//! that answers otherwise the next time (DNS rebinding) gains nothing. Literal
//! addresses never reach a resolver; [`Network::check_literal`] is for them.

use crate::{ArtifactError, address};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Turns a name into addresses.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// How names are resolved and which of the answers may be used. Tests put their
/// own in place of both.
#[derive(Clone)]
pub(crate) struct Network {
    /// Whether an address may be connected to.
    pub(crate) allows: fn(IpAddr) -> bool,
    /// The system's resolver.
    pub(crate) lookup: Lookup,
}

/// A name none of whose addresses may be used. Found again in the chain of the
/// client's error, see [`NotPublic::within`].
#[derive(Debug, thiserror::Error)]
#[error("{host} has no public address")]
pub(crate) struct NotPublic {
    host: String,
}

impl Network {
    /// The system's resolver, and public addresses only unless told otherwise.
    pub(crate) fn system(allow_private_addresses: bool) -> Self {
        let allows = if allow_private_addresses { |_| true } else { address::is_public };
        let lookup: Lookup = Arc::new(|name| {
            // Port 0: the client puts the URL's own in its place.
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        });
        Self { allows, lookup }
    }

    /// Checks a URL whose host is an address. The url crate has turned every odd
    /// spelling (`0x7f.1`, `2130706433`, `①②⑦.0.0.1`) into one of the two
    /// address forms, and the client connects by the same normalised text.
    ///
    /// # Errors
    /// [`ArtifactError::AddressNotPublic`].
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), ArtifactError> {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(ArtifactError::location("it names no host")),
        };
        if (self.allows)(address) {
            return Ok(());
        }
        Err(ArtifactError::AddressNotPublic { host: address.to_string() })
    }
}

impl Resolve for Network {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { allows, lookup } = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let mut addresses = lookup(host.clone()).await?;
            let found = addresses.len();
            addresses.retain(|address| allows(address.ip()));
            if addresses.is_empty() && found > 0 {
                return Err(NotPublic { host }.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl NotPublic {
    /// The error in the chain of another, as the one the caller is told.
    pub(crate) fn within(error: &(dyn std::error::Error + 'static)) -> Option<ArtifactError> {
        let chain = std::iter::successors(Some(error), |error| error.source());
        let mut refused = chain.filter_map(|error| error.downcast_ref::<Self>());
        refused.next().map(|refused| ArtifactError::AddressNotPublic { host: refused.host.clone() })
    }
}
