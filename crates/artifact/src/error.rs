//! Why an artifact could not be had, told apart by whose matter it is.

use pilum_types::Digest;
use std::fmt;

/// An artifact that could not be had. Cheap enough to hand to every caller that
/// waited for the same fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The location's text, or one it redirects to, cannot be used. The caller's matter.
    #[error("the artifact's location cannot be used: {reason}")]
    InvalidLocation {
        /// Which rule it breaks.
        reason: String,
    },
    /// No checksum, and the operator wants one. The caller's matter.
    #[error("the artifact has no checksum, and this host takes no artifact without one")]
    MissingChecksum,
    /// A location that leads to an address that is not public. The caller's matter.
    #[error("the artifact's location leads to {host}, whose address is not public")]
    AddressNotPublic {
        /// The host as it stands in the location or the redirect; what the name
        /// resolved to is not told.
        host: String,
    },
    /// A `file:` location outside of every root. The caller's matter.
    #[error("the artifact's location {location} leads outside of this host's artifact roots")]
    OutsideRoots {
        /// The location as given.
        location: String,
    },
    /// A `file:` location where the operator named no root at all.
    #[error(
        "file: locations are not served: start the host with --artifact-root <directory> to allow what lies below it"
    )]
    NoRoots,
    /// Not there, not readable, or not to be had in time. May pass.
    #[error("the artifact could not be fetched from {location}: {cause} ({attempts} tried)")]
    Unavailable {
        /// The location without its query, which may hold a signature.
        location: String,
        /// What went wrong the last time.
        cause: String,
        /// How many times it was tried.
        attempts: u32,
    },
    /// The bytes are others than the checksum says. Nothing of them is kept.
    #[error("the artifact's checksum does not match: expected {expected}, found {found}")]
    ChecksumMismatch {
        /// The digest the caller gave.
        expected: Digest,
        /// The digest of what was found.
        found: Digest,
    },
    /// More bytes than the host takes.
    #[error("the artifact is larger than {max_bytes} bytes, the most this host takes")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// The host's own disk or setup failed. The operator's matter; the text names
    /// paths of the host and is not for callers.
    #[error("the artifact store failed: {0}")]
    Storage(String),
}

impl ArtifactError {
    pub(crate) fn location(reason: impl Into<String>) -> Self {
        Self::InvalidLocation { reason: reason.into() }
    }

    /// A failure of our own disk while doing `what`.
    pub(crate) fn storage(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Storage(format!("{what}: {error}"))
    }
}
