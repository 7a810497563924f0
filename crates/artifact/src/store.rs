//! The artifact store: a source goes in, verified bytes come out.

use crate::blobs::Blobs;
use crate::blocking::run_blocking;
use crate::location::{FilePath, Location, UPLOADED, without_query};
use crate::receive::{PartialBlob, ReceivedBlob};
use crate::retry::{AttemptError, Retries};
use crate::roots::Roots;
use crate::shared_fetch::SharedFetches;
use crate::web::Web;
use crate::{ArtifactConfig, ArtifactError, VerifiedArtifact};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use pilum_outbound::Outbound;
use pilum_types::{ArtifactSource, Digest};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Fetches at the same time. Each holds a socket and may fill a temporary file of
/// `max_bytes`: 64 × 32 MiB are 2 GiB of disk. More fetches wait, within their timeout.
const CONCURRENT_FETCHES_MAX: usize = 64;
/// Bytes read from a file at once: each read goes to another thread.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// Fetches artifacts and keeps them. Cheap to clone.
#[derive(Clone)]
pub struct ArtifactStore {
    inner: Arc<Inner>,
}

struct Inner {
    config: ArtifactConfig,
    blobs: Arc<Blobs>,
    roots: Arc<Roots>,
    web: Web,
    /// The fetches under way, shared by the callers of the same source.
    fetches: SharedFetches,
    /// Bounds the fetches at the same time. Never closed.
    permits: Semaphore,
}

impl ArtifactStore {
    /// Opens the data directory and the roots. Blocks for a moment; connects nowhere.
    ///
    /// The temporary files that a killed process left behind are removed, so no other
    /// process may use the directory. The caller should [pin](Self::pin) the digests that
    /// tasks use before the first fetch.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when the directory or a root cannot be used.
    pub fn open(config: ArtifactConfig) -> Result<Self, ArtifactError> {
        let outbound = Outbound::new(config.allow_private_addresses);
        Self::with_outbound(config, outbound.map_err(|error| ArtifactError::Storage(error.to_string()))?)
    }

    /// The verified bytes of `source`.
    ///
    /// With a checksum, bytes on disk are read and hashed again, and fetched only if they
    /// are missing or damaged. Without a checksum they are fetched each time, since the
    /// location may hold other bytes by now. Callers that ask for the same source at the
    /// same moment share one fetch, which goes on until it is done or all of them have
    /// gone.
    ///
    /// A fetch makes up to 4 attempts within `fetch_timeout`. An error that cannot change
    /// within seconds ends it at once. Bytes are kept and returned only when they are
    /// verified.
    ///
    /// # Errors
    /// See [`ArtifactError`]. No error is remembered: the next call fetches again.
    pub async fn fetch(&self, source: &ArtifactSource) -> Result<VerifiedArtifact, ArtifactError> {
        let location = Location::parse(&source.location)?;
        if source.checksum.is_none() && !self.inner.config.allow_missing_checksum {
            return Err(ArtifactError::MissingChecksum);
        }
        let (inner, owned) = (self.inner.clone(), source.clone());
        self.inner.fetches.join(source, async move { inner.load_or_fetch(&location, &owned).await }).await
    }

    /// Reads the bytes of `digest` from disk; `None` if they are not there or damaged.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when they cannot be read, [`ArtifactError::TooLarge`]
    /// when they were stored under a higher bound.
    pub async fn load(&self, digest: Digest) -> Result<Option<VerifiedArtifact>, ArtifactError> {
        let blobs = self.inner.blobs.clone();
        run_blocking(move || blobs.load(digest)).await?
    }

    /// Stores bytes that a client sends. Returns the source by which they can be fetched,
    /// and their number. Until they are [pinned](Self::pin) they may be evicted, the least
    /// recently used first.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] for more than `max_bytes`,
    /// [`ArtifactError::Unavailable`] when `bytes` has an error,
    /// [`ArtifactError::Storage`] when they cannot be written.
    pub async fn upload(
        &self,
        mut bytes: impl Stream<Item = Result<Bytes, String>> + Unpin,
    ) -> Result<(ArtifactSource, u64), ArtifactError> {
        let mut blob = self.inner.new_blob().await?;
        while let Some(chunk) = bytes.next().await {
            let broken =
                |cause| ArtifactError::Unavailable { location: UPLOADED.to_owned(), attempts: 1, cause };
            blob.write(&chunk.map_err(broken)?).await?;
        }
        let received = blob.finish().await?;
        let (digest, size) = (received.digest, received.bytes);
        let blobs = self.inner.blobs.clone();
        run_blocking(move || blobs.publish(received)).await??;
        Ok((ArtifactSource { location: UPLOADED.to_owned(), checksum: Some(digest) }, size))
    }

    /// Keeps the bytes of `digest` on disk, whether they are there already or come later,
    /// even beyond `disk_max_bytes`. Pins are counted, and forgotten at a restart.
    pub fn pin(&self, digest: Digest) {
        self.inner.blobs.pin(digest);
    }

    /// Undoes one [`pin`](Self::pin). The bytes stay until their room is needed.
    pub fn unpin(&self, digest: Digest) {
        self.inner.blobs.unpin(digest);
    }

    /// The same as [`open`](Self::open) with another client. Tests use it.
    pub(crate) fn with_outbound(config: ArtifactConfig, outbound: Outbound) -> Result<Self, ArtifactError> {
        let inner = Inner {
            blobs: Arc::new(Blobs::open(&config.directory, config.max_bytes, config.disk_max_bytes)?),
            roots: Arc::new(Roots::open(&config.file_roots)?),
            web: Web::new(outbound, config.max_bytes),
            fetches: SharedFetches::default(),
            permits: Semaphore::new(CONCURRENT_FETCHES_MAX),
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many sources are being fetched.
    #[cfg(test)]
    pub(crate) fn fetches_under_way(&self) -> usize {
        self.inner.fetches.len()
    }
}

impl Inner {
    /// Makes an empty temporary file for a blob.
    async fn new_blob(&self) -> Result<PartialBlob, ArtifactError> {
        let blobs = self.blobs.clone();
        let file = run_blocking(move || blobs.temporary()).await??;
        Ok(PartialBlob::new(file, self.config.max_bytes))
    }

    async fn load_or_fetch(
        &self,
        location: &Location,
        source: &ArtifactSource,
    ) -> Result<VerifiedArtifact, ArtifactError> {
        if let Some(digest) = source.checksum {
            let blobs = self.blobs.clone();
            if let Some(stored) = run_blocking(move || blobs.load(digest)).await?? {
                return Ok(stored);
            }
        }
        let started = Instant::now();
        let deadline = started + self.config.fetch_timeout;
        let mut retries = Retries::new(without_query(&source.location), deadline);
        let Ok(permit) = tokio::time::timeout_at(deadline, self.permits.acquire()).await else {
            return Err(retries.timed_out());
        };
        let artifact = loop {
            if let Some(artifact) = retries.attempt(self.attempt(location, source)).await? {
                break artifact;
            }
        };
        drop(permit);
        tracing::info!(
            location = without_query(&source.location),
            digest = %artifact.digest(),
            bytes = artifact.bytes().len(),
            elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "fetched an artifact"
        );
        Ok(artifact)
    }

    async fn attempt(
        &self,
        location: &Location,
        source: &ArtifactSource,
    ) -> Result<VerifiedArtifact, AttemptError> {
        let blob = self.new_blob().await?;
        let received = match location {
            Location::Web(url) => self.web.fetch(url, blob).await?,
            Location::File(path) => self.read_file(path, &source.location, blob).await?,
            Location::Uploaded => {
                let evicted = "the bytes that were uploaded are not kept any more; upload them again";
                return Err(AttemptError::Permanent(evicted.to_owned()));
            }
        };
        if let Some(expected) = source.checksum.filter(|expected| *expected != received.digest) {
            return Err(ArtifactError::ChecksumMismatch { expected, found: received.digest }.into());
        }
        let blobs = self.blobs.clone();
        Ok(run_blocking(move || blobs.publish(received)).await??)
    }

    async fn read_file(
        &self,
        path: &FilePath,
        location: &str,
        mut blob: PartialBlob,
    ) -> Result<ReceivedBlob, AttemptError> {
        let (roots, path, location) = (self.roots.clone(), path.clone(), location.to_owned());
        let file = run_blocking(move || roots.open_file(&path, &location)).await??;
        let mut file = tokio::fs::File::from_std(file);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            let read =
                file.read(&mut buffer).await.map_err(|error| AttemptError::Permanent(error.to_string()))?;
            match buffer.get(..read) {
                Some(chunk) if !chunk.is_empty() => blob.write(chunk).await?,
                _ => return Ok(blob.finish().await?),
            }
        }
    }
}
