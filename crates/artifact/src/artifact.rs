//! Bytes whose digest was computed from these very bytes.

use bytes::Bytes;
use pilum_types::Digest;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes together with the digest that was computed from them. Cheap to clone.
#[derive(Clone)]
pub struct VerifiedArtifact {
    digest: Digest,
    bytes: Bytes,
}

impl VerifiedArtifact {
    /// The SHA-256 digest of [`bytes`](Self::bytes).
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The artifact itself. It has at most
    /// [`ArtifactConfig::max_bytes`](crate::ArtifactConfig::max_bytes) bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Hashes the bytes it takes. Nothing else makes a `VerifiedArtifact`. 32 MiB take
    /// tens of milliseconds, so it is called on a blocking thread.
    pub(crate) fn hashed(bytes: Vec<u8>) -> Self {
        Self { digest: Digest::from_bytes(Sha256::digest(&bytes).into()), bytes: bytes.into() }
    }
}

impl fmt::Debug for VerifiedArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedArtifact({}, {} bytes)", self.digest, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let empty = VerifiedArtifact::hashed(Vec::new());
        // The well-known digest of the empty input.
        assert_eq!(
            empty.digest().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            format!("{empty:?}"),
            "VerifiedArtifact(sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, 0 bytes)"
        );
    }
}
