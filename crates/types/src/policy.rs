//! What the owner of a task decides about it: limits, instances, environment, grants.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything a task's owner decides. The default is what a task gets whose owner
/// says nothing: the host's limits, a fresh instance a call, and no grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Bounds of its calls, within the host's.
    pub limits: PolicyLimits,
    /// How its instances are made and kept.
    pub instances: InstancePolicy,
    /// Environment variables that each call sees; a call's own come on top.
    pub environment: Arc<[(String, String)]>,
    /// What its code may reach beyond WASI.
    pub grants: Grants,
}

/// Bounds of a task's calls. What is `None` is the host's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyLimits {
    /// Timeout of calls that bring none of their own.
    pub timeout: Option<Duration>,
    /// All linear memories of an instance together, in bytes.
    pub memory_max_bytes: Option<u64>,
    /// A result, in bytes.
    pub result_max_bytes: Option<u64>,
    /// The log kept of one execution, in bytes.
    pub log_max_bytes: Option<u64>,
}

/// How a task's instances are made and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstancePolicy {
    /// Whether an instance serves several calls, one after the other, and how
    /// long; `None` gives each call an instance that no call has used.
    pub reuse: Option<Reuse>,
    /// Instances made ahead of calls, from registration on.
    pub idle_min: u32,
    /// Instances that may stand ready at most.
    pub idle_max: u32,
}

/// The bounds of an instance that serves several calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// Calls it serves at most.
    pub calls_max: u32,
    /// How old it gets at most.
    pub age_max: Duration,
}

/// What a task's code may reach beyond WASI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `wasi:config`: the values it finds there, by key; `None` is no grant.
    pub config: Option<Vec<(String, String)>>,
    /// `wasi:keyvalue`: buckets of its own, kept by the host.
    pub key_value: bool,
    /// `wasi:logging`: lines in the execution's log.
    pub logging: bool,
    /// `wasi:http/outgoing-handler`: where requests may go.
    pub http: Vec<HttpGrant>,
}

/// A host that outbound requests may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// The name in lower case; with a leading `*.` any name below it.
    host: String,
    /// `None` is the scheme's own port.
    port: Option<u16>,
}

/// A text that is no [`HttpGrant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not `host`, `host:port` or `*.domain`, without scheme or path")]
pub struct InvalidHttpGrant {
    text: String,
}

impl InstancePolicy {
    /// Instances that stand ready at most, where nothing else is said.
    pub const IDLE_MAX_DEFAULT: u32 = 8;
    /// More than this nobody may ask for: what stands ready holds memory.
    pub const IDLE_MAX_LIMIT: u32 = 256;
}

impl Default for InstancePolicy {
    fn default() -> Self {
        Self { reuse: None, idle_min: 0, idle_max: Self::IDLE_MAX_DEFAULT }
    }
}

impl Default for Reuse {
    /// Often enough that making an instance costs nothing, seldom enough that
    /// what a guest leaks is gone within minutes.
    fn default() -> Self {
        Self { calls_max: 1_000, age_max: Duration::from_secs(600) }
    }
}

impl HttpGrant {
    /// Reads `host`, `host:port` or `*.domain`.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidHttpGrant> {
        let invalid = || InvalidHttpGrant { text: text.to_owned() };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || name.len() > 253 || name.starts_with('.') || !name.chars().all(plain) {
            return Err(invalid());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }

    /// Whether a request to `host` (in lower case) at `port` is covered, where the
    /// scheme's own port is `own_port`.
    pub fn covers(&self, host: &str, port: u16, own_port: u16) -> bool {
        let named = match self.host.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => self.host == host,
        };
        named && port == self.port.unwrap_or(own_port)
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
    fn what_is_no_host_is_refused() {
        for text in
            ["", "*", "*.", "https://example.com", "example.com/x", "example.com:", "a:b:1", "a b", ".a"]
        {
            assert!(HttpGrant::parse(text).is_err(), "{text:?}");
        }
    }
}
