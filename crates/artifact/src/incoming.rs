//! Bytes on their way in: counted and hashed as they come, into a temporary file.
//!
//! They are not kept in memory until they are verified, so that many slow or
//! endless downloads at once cost disk, which is bounded and patient, and not
//! memory.

use crate::ArtifactError;
use crate::blobs::Blobs;
use crate::blocking::blocking;
use pilum_types::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::sync::Arc;
use tempfile::TempPath;
use tokio::io::{AsyncWriteExt, BufWriter};

/// Bytes gathered before they are written: a write is a hop to another thread,
/// and servers send in pieces of 8 to 16 KiB.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// A download under way. Dropping it removes the file: one unlink, cheap enough
/// for the thread it happens on.
pub(crate) struct Incoming {
    file: BufWriter<tokio::fs::File>,
    path: TempPath,
    hasher: Sha256,
    received_bytes: u64,
    max_bytes: u64,
}

/// A download that came to its end. Dropping it removes the file.
pub(crate) struct Received {
    /// The file, open for reading and writing.
    pub(crate) file: File,
    /// Its temporary name.
    pub(crate) path: TempPath,
    /// The digest of what came in.
    pub(crate) digest: Digest,
    /// How much came in.
    pub(crate) bytes: u64,
}

impl Incoming {
    /// An empty file that takes up to `max_bytes`.
    pub(crate) async fn create(blobs: &Arc<Blobs>, max_bytes: u64) -> Result<Self, ArtifactError> {
        let blobs = blobs.clone();
        let (file, path) = blocking(move || blobs.temporary()).await??.into_parts();
        let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, tokio::fs::File::from_std(file));
        Ok(Self { file, path, hasher: Sha256::new(), received_bytes: 0, max_bytes })
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

    /// Nothing more will come.
    pub(crate) async fn finish(mut self) -> Result<Received, ArtifactError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| ArtifactError::storage("cannot write an artifact", error))?;
        Ok(Received {
            file: self.file.into_inner().into_std().await,
            path: self.path,
            digest: Digest::from_bytes(self.hasher.finalize().into()),
            bytes: self.received_bytes,
        })
    }
}
