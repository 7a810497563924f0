//! Native code on disk: one file an artifact, each with a keyed MAC over its
//! bytes and its name, so that neither changed nor swapped code is ever run.

use crate::EngineError;
use pilum_types::Digest;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;

/// The key's file. Whoever can read it can forge native code, so it is its
/// owner's alone.
const KEY_FILE: &str = "mac.key";
const KEY_BYTES: usize = 32;
/// The MAC's length; it stands behind the code.
const MAC_BYTES: usize = 32;
const SUFFIX: &str = "native";

/// The directory of native code.
#[derive(Debug)]
pub(crate) struct NativeCache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// Wasmtime's version and everything about the configuration that shapes code.
    compatibility: u64,
    max_bytes: u64,
}

impl NativeCache {
    /// Opens the directory, and makes it and its key where there are none.
    pub(crate) fn open(directory: &Path, engine: &Engine, max_bytes: u64) -> Result<Self, EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::Internal(format!("the native code cache {}: {error}", directory.display()))
        };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let key = read_or_make_key(&directory.join(KEY_FILE)).map_err(failed)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { directory: directory.to_owned(), key, compatibility: hasher.finish(), max_bytes })
    }

    /// The native code of an artifact, if there is any and its MAC is right. A
    /// wrong one is removed, so that the artifact is compiled again.
    pub(crate) fn load(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%digest, %error, "native code could not be read; compiling again");
                }
                return None;
            }
        };
        let code_bytes = bytes.len().checked_sub(MAC_BYTES);
        let right = code_bytes.and_then(|at| bytes.split_at_checked(at)).is_some_and(|(code, mac)| {
            // blake3's own comparison, which takes the same time for any difference.
            <[u8; MAC_BYTES]>::try_from(mac)
                .is_ok_and(|mac| self.mac(digest, code) == blake3::Hash::from(mac))
        });
        match code_bytes {
            Some(code_bytes) if right => {
                bytes.truncate(code_bytes);
                touch(&path);
                Some(bytes)
            }
            Some(_) | None => {
                tracing::warn!(%digest, "native code on disk is not what was written; compiling again");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps native code. The rename makes it appear whole or not at all; it
    /// need not survive a power cut, since it can be made again.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix("tmp-").tempfile_in(&self.directory)?;
        file.write_all(code)?;
        file.write_all(self.mac(digest, code).as_bytes())?;
        file.persist(self.path(digest)).map_err(|error| error.error)?;
        self.evict()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!("{}-{:016x}.{SUFFIX}", digest.to_hex(), self.compatibility))
    }

    /// Over the code and what the file's name says, both of fixed length.
    fn mac(&self, digest: Digest, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(digest.as_bytes()).update(&self.compatibility.to_le_bytes()).update(code);
        hasher.finalize()
    }

    /// Removes the least recently used files until the rest fit.
    fn evict(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            // A file that another process removed meanwhile is not there to count.
            if path.extension().is_some_and(|extension| extension == SUFFIX)
                && let Ok(metadata) = path.metadata()
            {
                files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        files.sort_unstable();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= self.max_bytes {
                break;
            }
            // Another host that shares the directory may have been first.
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(error);
            }
            total -= bytes;
        }
        Ok(())
    }
}

/// Marks a file as used now. If that fails it is evicted a little early.
fn touch(path: &Path) {
    if let Ok(file) = File::open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn read_or_make_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    match File::open(path) {
        Ok(mut file) => {
            let metadata = file.metadata()?;
            // Whoever else can write it could have us run anything.
            if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
                let problem =
                    "mac.key is not its owner's alone; remove it, or mend its owner and mode (0600)";
                return Err(std::io::Error::new(ErrorKind::PermissionDenied, problem));
            }
            file.read_exact(&mut key)?;
            return Ok(key);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    rand::fill(&mut key);
    // Written whole beside its place and put there only if nobody else was
    // first, so that two hosts that start at once agree on one key. The file
    // is its owner's alone from the beginning.
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix("tmp-key-").tempfile_in(directory)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            File::open(path)?.read_exact(&mut key)?;
            Ok(key)
        }
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests;
