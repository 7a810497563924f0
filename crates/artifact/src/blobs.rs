//! Verified bytes on disk: `blobs/sha256/<2 hex>/<64 hex>`, nothing else.
//!
//! Everything here blocks and is called through [`blocking`](crate::blocking),
//! but for [`Blobs::pin`] and [`Blobs::unpin`].

use crate::incoming::Received;
use crate::lru::Lru;
use crate::{ArtifactError, VerifiedArtifact};
use pilum_types::Digest;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tempfile::NamedTempFile;

/// The blobs of one data directory.
pub(crate) struct Blobs {
    /// Holds a directory for each first byte of a digest: file systems slow down
    /// with very many names in one.
    sha256: PathBuf,
    /// Same file system as the blobs, so that a rename moves between them.
    temporary: PathBuf,
    max_bytes: u64,
    disk_max_bytes: u64,
    /// What is on disk. Held while a blob is renamed into place or unlinked, so
    /// that one thread's eviction cannot unlink what another has just written;
    /// therefore taken on blocking threads only. Taken before `pins`.
    lru: Mutex<Lru>,
    /// How many times each digest is pinned. Held for a moment, from anywhere.
    pins: Mutex<HashMap<Digest, u32>>,
}

impl Blobs {
    /// Opens or makes the directory, removes what a killed process left in
    /// `blobs/tmp`, and counts what is there.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`].
    pub(crate) fn open(directory: &Path, max_bytes: u64, disk_max_bytes: u64) -> Result<Self, ArtifactError> {
        let blobs = directory.join("blobs");
        let open = || -> io::Result<Self> {
            let (sha256, temporary) = (blobs.join("sha256"), blobs.join("tmp"));
            fs::create_dir_all(&sha256)?;
            fs::create_dir_all(&temporary)?;
            for leftover in fs::read_dir(&temporary)? {
                fs::remove_file(leftover?.path())?;
            }
            let lru = Mutex::new(scan(&sha256)?);
            let pins = Mutex::new(HashMap::new());
            Ok(Self { sha256, temporary, max_bytes, disk_max_bytes, lru, pins })
        };
        open().map_err(|error| ArtifactError::storage(format_args!("cannot open {}", blobs.display()), error))
    }

    /// A new temporary file that this process alone may read.
    pub(crate) fn temporary(&self) -> Result<NamedTempFile, ArtifactError> {
        let file = NamedTempFile::new_in(&self.temporary);
        file.map_err(|error| ArtifactError::storage("cannot make a temporary file", error))
    }

    /// The bytes of a digest, hashed anew. Bytes that no longer fit their digest
    /// are deleted, and there are none.
    pub(crate) fn load(&self, digest: Digest) -> Result<Option<VerifiedArtifact>, ArtifactError> {
        let path = self.path(digest);
        let unreadable =
            |error| ArtifactError::storage(format_args!("cannot read {}", path.display()), error);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // Should it be counted still, then until it is written again or evicted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let Some(bytes) = read_bounded(&mut file, self.max_bytes).map_err(unreadable)? else {
            // Taken when the bound was higher, or grown since: either way not ours to hand out.
            return Err(ArtifactError::TooLarge { max_bytes: self.max_bytes });
        };
        let artifact = VerifiedArtifact::hashed(bytes);
        if artifact.digest() != digest {
            tracing::warn!(%digest, found = %artifact.digest(), "a kept artifact was damaged; it is deleted");
            self.unlink(&mut lock(&self.lru), digest);
            return Ok(None);
        }
        // The order of use outlives a restart in the files' times. Only the order
        // hangs on it, so a file system that cannot do it is no failure.
        let _ = file.set_modified(SystemTime::now());
        lock(&self.lru).touch(&digest);
        Ok(Some(artifact))
    }

    /// Keeps what came in under its digest, and hands it out. It is on disk for
    /// good when this returns. May evict others, and even itself when pinned
    /// blobs leave no room.
    pub(crate) fn publish(&self, received: Received) -> Result<VerifiedArtifact, ArtifactError> {
        let Received { mut file, path: temporary, digest, bytes: size } = received;
        let path = self.path(digest);
        let kept = || -> io::Result<VerifiedArtifact> {
            file.rewind()?;
            let bytes = read_bounded(&mut file, self.max_bytes)?.unwrap_or_default();
            // Hashed once more, in memory: these very bytes are what the caller gets.
            let artifact = VerifiedArtifact::hashed(bytes);
            if artifact.digest() != digest {
                return Err(io::Error::other("the disk gives back other bytes than were written"));
            }
            file.sync_all()?;
            let shard = path.parent().unwrap_or(&self.sha256);
            if !shard.is_dir() {
                fs::create_dir_all(shard)?;
                sync_directory(&self.sha256)?;
            }
            {
                let mut lru = lock(&self.lru);
                temporary.persist(&path)?;
                lru.insert(digest, size);
                self.evict(&mut lru);
            }
            sync_directory(shard)?;
            Ok(artifact)
        };
        kept().map_err(|error| ArtifactError::storage(format_args!("cannot keep {}", path.display()), error))
    }

    /// Keeps a digest's blob on disk, present or to come, until as many unpins.
    pub(crate) fn pin(&self, digest: Digest) {
        let mut pins = lock(&self.pins);
        let count = pins.entry(digest).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Takes back one [`pin`](Self::pin). The blob stays until its room is needed.
    pub(crate) fn unpin(&self, digest: Digest) {
        let mut pins = lock(&self.pins);
        if let Some(count) = pins.get_mut(&digest) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&digest);
            }
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_hex();
        let shard = hex.get(..2).unwrap_or_default();
        self.sha256.join(shard).join(&hex)
    }

    fn evict(&self, lru: &mut Lru) {
        let evicted = {
            let pins = lock(&self.pins);
            lru.evict(self.disk_max_bytes, |digest| pins.contains_key(digest))
        };
        for digest in evicted {
            tracing::debug!(%digest, "evicting an artifact to make room");
            self.unlink(lru, digest);
        }
        if lru.total_bytes() > self.disk_max_bytes {
            let (bytes, max_bytes) = (lru.total_bytes(), self.disk_max_bytes);
            tracing::warn!(bytes, max_bytes, "artifacts that tasks refer to take more disk than their bound");
        }
    }

    /// Takes the guard to show that it is held.
    fn unlink(&self, lru: &mut Lru, digest: Digest) {
        lru.remove(&digest);
        if let Err(error) = fs::remove_file(self.path(digest))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%digest, %error, "cannot delete an artifact");
        }
    }
}

/// What lies in the directory, by the time of its last use. Names that are no
/// digests are left alone and do not count.
fn scan(sha256: &Path) -> io::Result<Lru> {
    let mut found = Vec::new();
    for shard in fs::read_dir(sha256)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for blob in fs::read_dir(shard.path())? {
            let blob = blob?;
            let Some(digest) = blob.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()) else {
                continue;
            };
            let metadata = blob.metadata()?;
            if metadata.is_file() {
                found.push((metadata.modified()?, digest, metadata.len()));
            }
        }
    }
    found.sort_unstable();
    let mut lru = Lru::default();
    for (_, digest, bytes) in found {
        lru.insert(digest, bytes);
    }
    Ok(lru)
}

/// A whole file, or `None` if it has more than `max_bytes`.
fn read_bounded(file: &mut File, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let announced = file.metadata()?.len();
    if announced > max_bytes {
        return Ok(None);
    }
    // Room for one byte more, so that a file that grows meanwhile is noticed.
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).saturating_add(1));
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max_bytes).then_some(bytes))
}

/// A rename is durable once its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// No code panics while it holds one of these locks in an unfinished state, so a
/// poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
