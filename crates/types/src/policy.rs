//! What the owner of a task decides about it: limits, instances, environment, grants.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest host name, in bytes: the bound of DNS.
const HOST_NAME_MAX_BYTES: usize = 253;

/// Everything that the owner of a task decides. The default applies to a task without a
/// policy: the host's limits, a fresh instance for each call, and no grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Limits of its calls. The operator's limits are the upper bounds.
    pub limits: PolicyLimits,
    /// How its instances are made and kept.
    pub instances: InstancePolicy,
    /// Environment variables of each call, as name and value. The variables of a call
    /// itself replace those with the same name.
    pub environment: Arc<[(String, String)]>,
    /// What its code may use beyond WASI.
    pub grants: Grants,
}

/// Limits of a task's calls. For `None`, the host's own limit applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyLimits {
    /// The timeout of calls that have no timeout of their own.
    pub timeout: Option<Duration>,
    /// The bytes of all linear memories of an instance together.
    pub memory_max_bytes: Option<u64>,
    /// The bytes of a result.
    pub result_max_bytes: Option<u64>,
    /// The bytes of the log that is kept of one execution.
    pub log_max_bytes: Option<u64>,
}

/// How a task's instances are made and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstancePolicy {
    /// The bounds of an instance that serves several calls, one after the other. `None`
    /// gives each call an instance that no other call has used.
    pub reuse: Option<Reuse>,
    /// Instances that are made before the calls that use them, from the registration of the
    /// task on. At most [`idle_max`](Self::idle_max).
    pub idle_min: u32,
    /// The most instances that wait for a call. At most
    /// [`IDLE_MAX_LIMIT`](Self::IDLE_MAX_LIMIT).
    pub idle_max: u32,
}

/// The bounds of an instance that serves several calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// The most calls that it serves, at least 1.
    pub calls_max: u32,
    /// The age at which it serves no more calls.
    pub age_max: Duration,
}

/// What a task's code may use beyond WASI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `wasi:config`: the values that the code can read, as key and value. `None` grants
    /// nothing.
    pub config: Option<Vec<(String, String)>>,
    /// `wasi:keyvalue`: buckets that belong to this task, which the host stores.
    pub key_value: bool,
    /// `wasi:logging`: lines in the log of the execution.
    pub logging: bool,
    /// `wasi:http/outgoing-handler`: the hosts that requests may go to.
    pub http: Vec<HttpGrant>,
}

/// A host that outbound requests may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// The name in lower case. A leading `*.` stands for any name below the domain.
    host: String,
    /// The port; `None` for the default port of the URL's scheme.
    port: Option<u16>,
}

/// The text is not an [`HttpGrant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not `host`, `host:port` or `*.domain`, without scheme or path")]
pub struct InvalidHttpGrant {
    text: String,
}

impl InstancePolicy {
    /// The default of [`idle_max`](Self::idle_max): eight calls at once find an instance.
    pub const IDLE_MAX_DEFAULT: u32 = 8;
    /// The upper bound of [`idle_max`](Self::idle_max): an instance that waits holds memory.
    pub const IDLE_MAX_LIMIT: u32 = 256;
}

impl Default for InstancePolicy {
    fn default() -> Self {
        Self { reuse: None, idle_min: 0, idle_max: Self::IDLE_MAX_DEFAULT }
    }
}

impl Default for Reuse {
    /// Enough calls that the time to make an instance does not matter, and an age at which
    /// the memory that a guest leaks is freed within minutes.
    fn default() -> Self {
        Self { calls_max: 1_000, age_max: Duration::from_secs(600) }
    }
}

impl HttpGrant {
    /// Reads `host`, `host:port` or `*.domain`.
    ///
    /// # Errors
    /// When the text has none of these forms.
    pub fn parse(text: &str) -> Result<Self, InvalidHttpGrant> {
        let invalid = || InvalidHttpGrant { text: text.to_owned() };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty()
            || name.len() > HOST_NAME_MAX_BYTES
            || name.starts_with('.')
            || !name.chars().all(plain)
        {
            return Err(invalid());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }

    /// Whether the grant covers a request to `host` (in lower case) at `port`.
    /// `default_port` is the default port of the URL's scheme.
    pub fn covers(&self, host: &str, port: u16, default_port: u16) -> bool {
        let named = match self.host.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => self.host == host,
        };
        named && port == self.port.unwrap_or(default_port)
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_host_and_port_and_nothing_else() {
        let covers = |grant: &str, host, port| HttpGrant::parse(grant).unwrap().covers(host, port, 443);
        assert!(covers("API.example.com", "api.example.com", 443));
        assert!(!covers("api.example.com", "api.example.com", 8443));
        assert!(!covers("api.example.com", "evil-api.example.com", 443));
        assert!(!covers("api.example.com", "api.example.com.evil.org", 443));
        assert!(covers("localhost:8080", "localhost", 8080));
        assert!(covers("*.example.com", "a.b.example.com", 443));
        assert!(!covers("*.example.com", "example.com", 443));
        assert!(!covers("*.example.com", "evilexample.com", 443));
        assert!(covers("127.0.0.1:80", "127.0.0.1", 80));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "*", "*.", "https://example.com", "example.com/x", "example.com:", "a:b:1", "a b", ".a"]
        {
            assert!(HttpGrant::parse(text).is_err(), "{text:?}");
        }
    }
}
