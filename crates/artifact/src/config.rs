//! What the operator sets for artifacts.

use std::path::PathBuf;
use std::time::Duration;

/// Largest artifact by default, in bytes: a component of a garbage-collected
/// language with its runtime is 10 to 20 MiB.
const DEFAULT_MAX_BYTES: u64 = 32 << 20;
/// Time for a whole fetch by default: long enough for 32 MiB at 10 Mbit/s,
/// short enough that a caller hears of a stalled server before the caller gives up.
const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Disk for artifacts by default, in bytes: room for four hundred artifacts of a
/// typical 10 MiB.
const DEFAULT_DISK_MAX_BYTES: u64 = 4 << 30;

/// How an [`ArtifactStore`](crate::ArtifactStore) works.
#[derive(Debug, Clone)]
pub struct ArtifactConfig {
    /// The host's data directory. This crate writes only to `blobs` below it. One process
    /// at a time may use it.
    pub directory: PathBuf,
    /// Directories that `file:` locations may lie below, searched in order.
    pub file_roots: Vec<PathBuf>,
    /// Largest artifact, in bytes.
    pub max_bytes: u64,
    /// Time for one whole fetch: the wait for a permit, redirects, every retry and the
    /// pauses between them. A read without a byte ends earlier, see `pilum_outbound`.
    pub fetch_timeout: Duration,
    /// Whether locations may lead to addresses that are not public: loopback,
    /// private networks, a cloud's metadata service.
    pub allow_private_addresses: bool,
    /// Whether a source may come without a checksum.
    pub allow_missing_checksum: bool,
    /// Disk that kept artifacts may take, in bytes. Pinned artifacts are kept even
    /// beyond it.
    pub disk_max_bytes: u64,
}

impl ArtifactConfig {
    /// The defaults, with everything below `directory`: no roots, no private
    /// addresses, no missing checksums.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            file_roots: Vec::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            fetch_timeout: DEFAULT_FETCH_TIMEOUT,
            allow_private_addresses: false,
            allow_missing_checksum: false,
            disk_max_bytes: DEFAULT_DISK_MAX_BYTES,
        }
    }
}
