//! The guests that `make guests` has built.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The path of a built guest, or of a data file beside them.
///
/// # Errors
/// If the file does not exist, with how to make it.
pub fn guest_path(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples/out").join(name);
    path.canonicalize().with_context(|| format!("there is no {name}; run `make guests`"))
}

/// A built guest's bytes.
///
/// # Errors
/// If the file does not exist, with how to make it.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    Ok(std::fs::read(guest_path(name)?)?)
}

/// The digest of some bytes, as `sha256:` and hex.
pub fn digest_of(bytes: &[u8]) -> String {
    pilum_types::Digest::from_bytes(Sha256::digest(bytes).into()).to_string()
}
