//! Native code on disk. Each artifact has one file, which ends with a keyed MAC over
//! the code and the file's name, so that neither changed nor swapped code is ever run.

use crate::error::EngineError;
use pilum_types::Digest;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;

/// The file of the key. A process that can read the key can forge native code, so only
/// the file's owner may read it.
const KEY_FILE: &str = "mac.key";
const KEY_BYTES: usize = 32;
/// The length of the MAC, which follows the code.
const MAC_BYTES: usize = 32;
/// The extension of a file of native code.
const SUFFIX: &str = "native";
/// The mode of the directory: only its owner may use it.
const DIRECTORY_MODE: u32 = 0o700;
/// The mode bits that give the key's file to other users.
const OTHERS_MODE: u32 = 0o077;

/// The directory of native code.
#[derive(Debug)]
pub(crate) struct NativeCache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// A hash of wasmtime's version and of every setting that shapes native code.
    compatibility: u64,
    max_bytes: u64,
}

impl NativeCache {
    /// Opens the directory. Makes the directory and the key if they do not exist.
    pub(crate) fn open(directory: &Path, engine: &Engine, max_bytes: u64) -> Result<Self, EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::Internal(format!("the native code cache {}: {error}", directory.display()))
        };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory).map_err(failed)?;
        let key = read_or_make_key(&directory.join(KEY_FILE)).map_err(failed)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { directory: directory.to_owned(), key, compatibility: hasher.finish(), max_bytes })
    }

    /// The native code of an artifact, if it is here and its MAC is right. A file with
    /// a wrong MAC is removed, so that the artifact is compiled again.
    pub(crate) fn load(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%digest, %error, "native code could not be read; the artifact will be compiled again");
                }
                return None;
            }
        };
        let code_bytes = bytes.len().checked_sub(MAC_BYTES);
        let is_right = code_bytes.and_then(|at| bytes.split_at_checked(at)).is_some_and(|(code, mac)| {
            // blake3 compares hashes in constant time.
            <[u8; MAC_BYTES]>::try_from(mac)
                .is_ok_and(|mac| self.mac(digest, code) == blake3::Hash::from(mac))
        });
        match code_bytes {
            Some(code_bytes) if is_right => {
                bytes.truncate(code_bytes);
                touch(&path);
                Some(bytes)
            }
            Some(_) | None => {
                tracing::warn!(%digest, "native code on disk was changed; the artifact will be compiled again");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Writes native code. The rename makes the file appear whole or not at all. The
    /// file need not survive a power cut, since the artifact can be compiled again.
    pub(crate) fn store(&self, digest: Digest, code: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix("tmp-").tempfile_in(&self.directory)?;
        file.write_all(code)?;
        file.write_all(self.mac(digest, code).as_bytes())?;
        file.persist(self.path(digest)).map_err(|error| error.error)?;
        self.evict()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!("{}-{:016x}.{SUFFIX}", digest.to_hex(), self.compatibility))
    }

    /// The MAC over the two parts of the file's name, which have a fixed length, and
    /// the code.
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
            // Another process may have removed the file meanwhile.
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
            // Another host that shares the directory may have removed the file first.
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

/// Marks a file as used now. If that fails, the file is evicted a little early.
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
            // Another user who can write the key could make this host run any code.
            if metadata.uid() != geteuid().as_raw() || metadata.mode() & OTHERS_MODE != 0 {
                let problem = "other users can use mac.key; remove it, or correct its owner and mode (0600)";
                return Err(std::io::Error::new(ErrorKind::PermissionDenied, problem));
            }
            file.read_exact(&mut key)?;
            return Ok(key);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    rand::fill(&mut key);
    // The key is written to a temporary file, which gets the key's name only if no other
    // host was first, so that two hosts that start at once agree on one key. Only its
    // owner may use the temporary file from the beginning.
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
