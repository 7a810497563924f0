//! The face of the crate: a source goes in, verified bytes come out.

use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::flight::Flights;
use crate::incoming::{Incoming, Received};
use crate::location::{FilePath, Location, UPLOADED, shown};
use crate::network::Network;
use crate::retry::{Failure, Retries};
use crate::roots::Roots;
use crate::web::Web;
use crate::{ArtifactConfig, ArtifactError, VerifiedArtifact};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use pilum_types::{ArtifactSource, Digest};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Fetches at the same time. Each may fill a temporary file of `max_bytes` and
/// holds a socket: 64 × 32 MiB are 2 GiB of disk. More wait, within their time.
const MAX_CONCURRENT_FETCHES: usize = 64;
/// Bytes read from a file at once, each a hop to another thread.
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
    flights: Flights,
    /// Turns to fetch. Never closed.
    turns: Semaphore,
}

impl ArtifactStore {
    /// Opens the data directory and the roots. Blocks for a moment; connects nowhere.
    ///
    /// Leftovers of downloads that a killed process left behind are removed, so
    /// the directory must be this process's alone. Digests that tasks refer to
    /// should be [pinned](Self::pin) before the first fetch.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when the directory or a root cannot be used.
    pub fn open(config: ArtifactConfig) -> Result<Self, ArtifactError> {
        let network = Network::system(config.allow_private_addresses);
        Self::open_on(config, network)
    }

    /// The verified bytes of `source`.
    ///
    /// With a checksum, bytes that are kept on disk are read and hashed again,
    /// and fetched only if they are not there or damaged. Without one they are
    /// fetched each time, as a location may come to hold other bytes. Callers
    /// that ask for the same source at the same moment share one fetch, which
    /// goes on until it is done or all of them have gone.
    ///
    /// A fetch is tried up to 4 times within `fetch_timeout`; what cannot change
    /// within seconds is not tried again. Bytes are kept and returned only when
    /// they are verified.
    ///
    /// # Errors
    /// See [`ArtifactError`]. None is remembered: the next call tries again.
    pub async fn fetch(&self, source: &ArtifactSource) -> Result<VerifiedArtifact, ArtifactError> {
        let location = Location::parse(&source.location)?;
        if source.checksum.is_none() && !self.inner.config.allow_missing_checksum {
            return Err(ArtifactError::MissingChecksum);
        }
        let (inner, own) = (self.inner.clone(), source.clone());
        self.inner.flights.join(source, async move { inner.obtain(&location, &own).await }).await
    }

    /// The bytes of `digest`, if they are kept here.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] when they cannot be read.
    pub async fn kept(&self, digest: Digest) -> Result<Option<VerifiedArtifact>, ArtifactError> {
        let blobs = self.inner.blobs.clone();
        blocking(move || blobs.load(digest)).await?
    }

    /// Keeps bytes that somebody brings, to be fetched by the source answered. Until
    /// they are [pinned](Self::pin) they may be evicted, the least recently used first.
    ///
    /// # Errors
    /// When they are more than `max_bytes`, do not come whole, or cannot be written.
    pub async fn upload(
        &self,
        mut bytes: impl Stream<Item = Result<Bytes, String>> + Unpin,
    ) -> Result<(ArtifactSource, u64), ArtifactError> {
        let mut incoming = Incoming::create(&self.inner.blobs, self.inner.config.max_bytes).await?;
        while let Some(chunk) = bytes.next().await {
            let broken =
                |cause| ArtifactError::Unavailable { location: UPLOADED.to_owned(), attempts: 1, cause };
            incoming.write(&chunk.map_err(broken)?).await?;
        }
        let received = incoming.finish().await?;
        let (digest, size) = (received.digest, received.bytes);
        let blobs = self.inner.blobs.clone();
        blocking(move || blobs.publish(received)).await??;
        Ok((ArtifactSource { location: UPLOADED.to_owned(), checksum: Some(digest) }, size))
    }

    /// Keeps the bytes of `digest` on disk, whether they are there yet or not,
    /// whatever `disk_max_bytes` says. Pins are counted and not kept over a restart.
    pub fn pin(&self, digest: Digest) {
        self.inner.blobs.pin(digest);
    }

    /// Takes back one [`pin`](Self::pin). The bytes stay until their room is needed.
    pub fn unpin(&self, digest: Digest) {
        self.inner.blobs.unpin(digest);
    }

    /// With a network of one's own, for tests.
    pub(crate) fn open_on(config: ArtifactConfig, network: Network) -> Result<Self, ArtifactError> {
        let inner = Inner {
            blobs: Arc::new(Blobs::open(&config.directory, config.max_bytes, config.disk_max_bytes)?),
            roots: Arc::new(Roots::open(&config.file_roots)?),
            web: Web::new(&config, network)?,
            flights: Flights::default(),
            turns: Semaphore::new(MAX_CONCURRENT_FETCHES),
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many sources are being fetched.
    #[cfg(test)]
    pub(crate) fn flights(&self) -> usize {
        self.inner.flights.len()
    }
}

impl Inner {
    async fn obtain(
        &self,
        location: &Location,
        source: &ArtifactSource,
    ) -> Result<VerifiedArtifact, ArtifactError> {
        if let Some(digest) = source.checksum {
            let blobs = self.blobs.clone();
            if let Some(kept) = blocking(move || blobs.load(digest)).await?? {
                return Ok(kept);
            }
        }
        let started = Instant::now();
        let deadline = started + self.config.fetch_timeout;
        let mut retries = Retries::new(shown(&source.location), deadline);
        let Ok(turn) = tokio::time::timeout_at(deadline, self.turns.acquire()).await else {
            return Err(retries.out_of_time());
        };
        let artifact = loop {
            if let Some(artifact) = retries.attempt(self.attempt(location, source)).await? {
                break artifact;
            }
        };
        drop(turn);
        tracing::info!(
            location = shown(&source.location),
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
    ) -> Result<VerifiedArtifact, Failure> {
        let incoming = Incoming::create(&self.blobs, self.config.max_bytes).await?;
        let received = match location {
            Location::Web(url) => self.web.fetch(url, incoming).await?,
            Location::File(path) => self.read(path, &source.location, incoming).await?,
            Location::Uploaded => {
                let gone = "the bytes that were uploaded are not kept any more; upload them again";
                return Err(Failure::Lasting(gone.to_owned()));
            }
        };
        if let Some(expected) = source.checksum.filter(|expected| *expected != received.digest) {
            return Err(ArtifactError::ChecksumMismatch { expected, found: received.digest }.into());
        }
        let blobs = self.blobs.clone();
        Ok(blocking(move || blobs.publish(received)).await??)
    }

    async fn read(
        &self,
        path: &FilePath,
        location: &str,
        mut incoming: Incoming,
    ) -> Result<Received, Failure> {
        let (roots, path, location) = (self.roots.clone(), path.clone(), location.to_owned());
        let file = blocking(move || roots.open_file(&path, &location)).await??;
        let mut file = tokio::fs::File::from_std(file);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            let read = file.read(&mut buffer).await.map_err(|error| Failure::Lasting(error.to_string()))?;
            match buffer.get(..read) {
                Some(chunk) if !chunk.is_empty() => incoming.write(chunk).await?,
                _ => return Ok(incoming.finish().await?),
            }
        }
    }
}
