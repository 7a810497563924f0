//! Verified bytes on disk, in files named `blobs/sha256/<2 hex>/<64 hex>`.
//!
//! Every function blocks and is called through
//! [`run_blocking`](crate::blocking::run_blocking), except [`Blobs::pin`] and
//! [`Blobs::unpin`].

use crate::lru::Lru;
use crate::receive::ReceivedBlob;
use crate::{ArtifactError, VerifiedArtifact};
use pilum_types::Digest;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tempfile::NamedTempFile;

/// Hex digits of a digest that name its directory: 256 directories.
const SHARD_HEX_DIGITS: usize = 2;

/// The blobs of one data directory.
pub(crate) struct Blobs {
    /// Has one directory for each first byte of a digest: file systems slow down with
    /// very many names in one directory.
    sha256: PathBuf,
    /// On the same file system as `sha256`, so that a rename moves a file between them.
    temporary: PathBuf,
    max_bytes: u64,
    disk_max_bytes: u64,
    /// Which blobs are on disk. Held while a blob is renamed into place or unlinked, so
    /// that one thread's eviction cannot unlink a blob that another thread has just
    /// written. It is therefore locked on blocking threads only. Locked before `pins`.
    lru: Mutex<Lru>,
    /// How many times each digest is pinned. Locked for a moment, on any thread.
    pins: Mutex<HashMap<Digest, u32>>,
}

impl Blobs {
    /// Opens or makes the directory, removes the files that a killed process left in
    /// `blobs/tmp`, and counts the blobs that are there.
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

    /// Reads the bytes of a digest and hashes them again. If they no longer have that
    /// digest, they are deleted and the result is `None`.
    pub(crate) fn load(&self, digest: Digest) -> Result<Option<VerifiedArtifact>, ArtifactError> {
        let path = self.path(digest);
        let unreadable =
            |error| ArtifactError::storage(format_args!("cannot read {}", path.display()), error);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // `lru` may still count the blob, until it is written again or evicted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let Some(bytes) = read_bounded(&mut file, self.max_bytes).map_err(unreadable)? else {
            // The blob was stored under a higher bound, or the file has grown since.
            return Err(ArtifactError::TooLarge { max_bytes: self.max_bytes });
        };
        let artifact = VerifiedArtifact::hashed(bytes);
        if artifact.digest() != digest {
            tracing::warn!(%digest, found = %artifact.digest(), "a stored artifact was damaged and is deleted");
            self.unlink(&mut lock(&self.lru), digest);
            return Ok(None);
        }
        // The modification times keep the order of use over a restart. Nothing else
        // depends on them, so an error here is ignored.
        let _ = file.set_modified(SystemTime::now());
        lock(&self.lru).touch(&digest);
        Ok(Some(artifact))
    }

    /// Stores a received blob under its digest, and returns its bytes. The blob is
    /// durable when this returns. It may evict other blobs, and even this one when pinned
    /// blobs leave no room.
    pub(crate) fn publish(&self, received: ReceivedBlob) -> Result<VerifiedArtifact, ArtifactError> {
        let ReceivedBlob { mut file, path: temporary, digest, bytes: size } = received;
        let path = self.path(digest);
        let publish = || -> io::Result<VerifiedArtifact> {
            file.rewind()?;
            let other_bytes = || io::Error::other("the disk gives back other bytes than were written");
            let bytes = read_bounded(&mut file, self.max_bytes)?.ok_or_else(other_bytes)?;
            // Hashed once more, in memory: the caller gets these very bytes.
            let artifact = VerifiedArtifact::hashed(bytes);
            if artifact.digest() != digest {
                return Err(other_bytes());
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
        publish()
            .map_err(|error| ArtifactError::storage(format_args!("cannot store {}", path.display()), error))
    }

    /// Keeps the blob of a digest on disk, whether it is there already or comes later.
    /// Each call needs one [`unpin`](Self::unpin).
    pub(crate) fn pin(&self, digest: Digest) {
        let mut pins = lock(&self.pins);
        let count = pins.entry(digest).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Undoes one [`pin`](Self::pin). The blob stays until its room is needed.
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
        let (shard, _) = hex.split_at(SHARD_HEX_DIGITS);
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
            tracing::warn!(bytes, max_bytes, "the artifacts that tasks use take more disk than the bound");
        }
    }

    /// `lru` is the guard's content, which shows that the caller holds the lock.
    fn unlink(&self, lru: &mut Lru, digest: Digest) {
        lru.remove(&digest);
        if let Err(error) = fs::remove_file(self.path(digest))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%digest, %error, "cannot delete an artifact");
        }
    }
}

/// The blobs in the directory, in the order of their last use. A file whose name is not
/// a digest is left alone and does not count.
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

/// Reads a whole file; `None` if it has more than `max_bytes`.
fn read_bounded(file: &mut File, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let announced = file.metadata()?.len();
    if announced > max_bytes {
        return Ok(None);
    }
    // Room for one more byte, to notice a file that grows meanwhile.
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).saturating_add(1));
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max_bytes).then_some(bytes))
}

/// Makes the renames in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// No code panics while it holds one of these locks with its content in an unfinished
/// state, so a poisoned lock is safe to use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
