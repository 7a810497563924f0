//! Turns names into addresses, and drops the addresses that may not be connected to.
//!
//! The HTTP client connects through this resolver, so it connects to the very address
//! that was checked here. A name that resolves to another address the next time (DNS
//! rebinding) gains nothing. A URL whose host is an address never reaches a resolver;
//! [`Resolver::check_literal`] is for these.

use crate::address;
use crate::error::{InvalidUrl, OutboundError};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Looks up the addresses of a name. The port of each answer is not used.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// How names are resolved, and which of the addresses may be used.
#[derive(Clone)]
pub struct Resolver {
    allows: fn(IpAddr) -> bool,
    lookup: Lookup,
}

/// A name that has addresses, none of which may be used. The HTTP client wraps this
/// error in its own; [`not_public_host`] finds it again.
#[derive(Debug, thiserror::Error)]
#[error("{host} has no public address")]
struct NotPublic {
    host: String,
}

impl Resolver {
    /// Resolves by `lookup`, and uses the addresses for which `allows` is true.
    pub fn new(allows: fn(IpAddr) -> bool, lookup: Lookup) -> Self {
        Self { allows, lookup }
    }

    /// The system's resolver. Without `allow_private_addresses` it uses public
    /// addresses only, see [`is_public`](crate::is_public).
    pub fn system(allow_private_addresses: bool) -> Self {
        Self::new(if allow_private_addresses { |_| true } else { address::is_public }, Self::system_lookup())
    }

    /// The lookup of the operating system.
    pub fn system_lookup() -> Lookup {
        Arc::new(|name| {
            // Port 0: the client puts the port of the URL in its place.
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        })
    }

    /// Checks a URL whose host is an address. A URL whose host is a name passes here.
    ///
    /// The url crate has turned every odd spelling (`0x7f.1`, `2130706433`,
    /// `①②⑦.0.0.1`) into one of the two address forms, and the client connects by the
    /// same normalised text.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), OutboundError> {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(InvalidUrl::new("it names no host").into()),
        };
        if (self.allows)(address) {
            return Ok(());
        }
        Err(OutboundError::AddressNotPublic { host: address.to_string() })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolve for Resolver {
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

/// The host that [`Resolver`] refused, if that is among the causes of `error`.
pub(crate) fn not_public_host(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<NotPublic>() {
            return Some(refused.host.clone());
        }
        next = error.source();
    }
    None
}
