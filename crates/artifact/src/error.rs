//! Why an artifact is not available, told apart by who can do something about it.

use pilum_outbound::InvalidUrl;
use pilum_types::Digest;
use std::fmt;

/// An artifact that is not available. Cheap enough to hand to every caller that waited
/// for the same fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The location's text, or the text of a redirect, cannot be used. The caller can
    /// mend it.
    #[error("the artifact's location cannot be used: {reason}")]
    InvalidLocation {
        /// The rule that the text breaks.
        reason: String,
    },
    /// The caller gave no checksum, and the operator requires one.
    #[error("the artifact has no checksum, and this host takes no artifact without one")]
    MissingChecksum,
    /// The location or a redirect leads to an address that is not public. The caller can
    /// give another location.
    #[error("the artifact's location leads to {host}, whose address is not public")]
    AddressNotPublic {
        /// The host as the location or the redirect names it. The address that the name
        /// resolved to is not part of the error.
        host: String,
    },
    /// A `file:` location outside of every root. The caller can give another location.
    #[error("the artifact's location {location} leads outside of this host's artifact roots")]
    OutsideRoots {
        /// The location as given.
        location: String,
    },
    /// A `file:` location on a host whose operator configured no root.
    #[error(
        "file: locations are not served: start the host with --artifact-root <directory> to allow what lies below it"
    )]
    NoRoots,
    /// The artifact is not there, cannot be read, or did not come in time. May pass.
    #[error("the artifact could not be fetched from {location}: {cause} ({attempts} tried)")]
    Unavailable {
        /// The location without its query, which may hold a signature.
        location: String,
        /// The cause of the last failed attempt.
        cause: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The bytes have another digest than the checksum. None of them are kept.
    #[error("the artifact's checksum does not match: expected {expected}, found {found}")]
    ChecksumMismatch {
        /// The digest that the caller gave.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// The artifact has more bytes than the operator allows.
    #[error("the artifact is larger than {max_bytes} bytes, the most this host takes")]
    TooLarge {
        /// The bound in bytes, see [`ArtifactConfig::max_bytes`](crate::ArtifactConfig::max_bytes).
        max_bytes: u64,
    },
    /// The host's own disk or setup failed. Only the operator can mend it. The text may
    /// name paths of the host, so it must not reach callers.
    #[error("the artifact store failed: {0}")]
    Storage(String),
}

impl ArtifactError {
    pub(crate) fn location(reason: impl Into<String>) -> Self {
        Self::InvalidLocation { reason: reason.into() }
    }

    /// A failure of the host's own disk while it did `what`.
    pub(crate) fn storage(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Storage(format!("{what}: {error}"))
    }
}

impl From<InvalidUrl> for ArtifactError {
    fn from(InvalidUrl { reason }: InvalidUrl) -> Self {
        Self::InvalidLocation { reason }
    }
}
