//! Bytes that are being received: counted and hashed as they come, into a temporary
//! file.
//!
//! They are not kept in memory until they are verified. Many slow or endless downloads
//! at once thus take disk, which has room, and not memory.

use crate::ArtifactError;
use pilum_types::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncWriteExt, BufWriter};

/// Bytes gathered before they are written: each write goes to another thread, and
/// servers send chunks of 8 to 16 KiB.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// A blob of which more bytes may come. Dropping it removes the file: one unlink, cheap
/// enough for any thread.
pub(crate) struct PartialBlob {
    file: BufWriter<tokio::fs::File>,
    path: TempPath,
    hasher: Sha256,
    received_bytes: u64,
    max_bytes: u64,
}

/// A blob that has come whole. Dropping it removes the file.
pub(crate) struct ReceivedBlob {
    /// The file, open for reading and writing.
    pub(crate) file: File,
    /// Its temporary name.
    pub(crate) path: TempPath,
    /// The digest of the received bytes.
    pub(crate) digest: Digest,
    /// The number of received bytes.
    pub(crate) bytes: u64,
}

impl PartialBlob {
    /// Writes into `file`, which is empty, up to `max_bytes`.
    pub(crate) fn new(file: NamedTempFile, max_bytes: u64) -> Self {
        let (file, path) = file.into_parts();
        let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, tokio::fs::File::from_std(file));
        Self { file, path, hasher: Sha256::new(), received_bytes: 0, max_bytes }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] before a byte over the bound is written.
    pub(crate) async fn write(&mut self, chunk: &[u8]) -> Result<(), ArtifactError> {
        self.received_bytes = self.received_bytes.saturating_add(chunk.len() as u64);
        if self.received_bytes > self.max_bytes {
            return Err(ArtifactError::TooLarge { max_bytes: self.max_bytes });
        }
        self.hasher.update(chunk);
        self.file
            .write_all(chunk)
            .await
            .map_err(|error| ArtifactError::storage("cannot write an artifact", error))
    }

    /// Ends the blob: no more bytes will come.
    pub(crate) async fn finish(mut self) -> Result<ReceivedBlob, ArtifactError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| ArtifactError::storage("cannot write an artifact", error))?;
        Ok(ReceivedBlob {
            file: self.file.into_inner().into_std().await,
            path: self.path,
            digest: Digest::from_bytes(self.hasher.finalize().into()),
            bytes: self.received_bytes,
        })
    }
}
