//! Artifacts: fetched from their location, verified, and kept on disk.
//!
//! [`ArtifactStore::fetch`] takes a location and the digest its bytes must have,
//! and returns a [`VerifiedArtifact`]. When many callers ask for one source at the
//! same moment, it is fetched once. Fetched bytes lie below `<directory>/blobs`, named
//! by their digest, within a bound.
//!
//! This crate defends against two hostile parties. A *location* may lead out of the roots
//! (by `..` or a symlink) or into the operator's own network (by address, name or
//! redirect). A *server* may send other bytes than it should, bytes without end, or bytes
//! one at a time.
//!
//! **Invariant:** a [`VerifiedArtifact`] is made in one place, which hashes the
//! very bytes it then holds. No other crate can make one, so unverified bytes
//! reach no compiler. This crate imports neither wasmtime nor tonic: it does not
//! know what the bytes mean nor who asked for them. It has no HTTP client of its own:
//! every request is sent by [`pilum_outbound`].

// In reading order: what callers give and get.
mod artifact;
mod config;
mod error;

// One fetch, from its start to its end.
mod location;
mod retry;
mod shared_fetch;
mod store;

// Where bytes come from.
mod roots;
mod web;

// Where bytes go.
mod blobs;
mod blocking;
mod lru;
mod receive;

#[cfg(test)]
mod tests;

pub use artifact::VerifiedArtifact;
pub use config::ArtifactConfig;
pub use error::ArtifactError;
pub use store::ArtifactStore;
