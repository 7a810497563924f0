//! Artifacts: fetched from where they are, verified, and kept on disk.
//!
//! [`ArtifactStore::fetch`] takes a location and the digest its bytes must have,
//! and gives a [`VerifiedArtifact`]. However many callers ask for one source at
//! the same moment, it is fetched once. What was fetched lies below
//! `<directory>/blobs`, named by its digest, within a bound.
//!
//! Two kinds of hostile party are met here. A *location* may point where it
//! should not: out of the roots by `..` or a symlink, into the operator's own
//! network by address, name or redirect. A *server* may send what it should
//! not: other bytes, bytes without end, bytes one at a time.
//!
//! **Invariant:** a [`VerifiedArtifact`] is made in one place, which hashes the
//! very bytes it then holds. No other crate can make one, so unverified bytes
//! reach no compiler. This crate imports neither wasmtime nor tonic: it does not
//! know what the bytes mean nor who asked for them.

// In reading order: what is handed over and what comes back.
mod artifact;
mod config;
mod error;

// The way of one fetch.
mod flight;
mod location;
mod retry;
mod store;

// Where bytes come from.
mod address;
mod network;
mod outbound;
mod roots;
mod web;

// Where bytes go.
mod blobs;
mod blocking;
mod incoming;
mod lru;

#[cfg(test)]
mod tests;

pub use address::is_public;
pub use artifact::VerifiedArtifact;
pub use config::ArtifactConfig;
pub use error::ArtifactError;
pub use outbound::{Outbound, OutboundError, OutboundRequestError};
pub use store::ArtifactStore;
