//! The guests that are measured, and copies of them with different digests.

use anyhow::{Context, Result, ensure};
use pilum_types::{ArtifactSource, Digest};
use sha2::Digest as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A core module of 600 bytes that exports `add` and `calculate-fibonacci`.
pub(crate) const CORE: &str = "calculate-fibonacci.core.wasm";
/// The same functions in a component of 60 KB.
pub(crate) const COMPONENT: &str = "calculate-fibonacci.wasm";
/// The largest component that `make guests` builds, 201 KB: a command that reads JSON.
pub(crate) const LARGE_COMPONENT: &str = "extract-keywords.wasm";
/// The functions of [`COMPONENT`] in Python, 18 MB.
const PYTHON: &str = "calculate-fibonacci.python.wasm";

/// The folder of the built guests.
pub(crate) fn folder() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples/out");
    path.canonicalize().context("there are no guests; run `make guests`")
}

/// A built guest's bytes.
pub(crate) fn bytes(name: &str) -> Result<Vec<u8>> {
    std::fs::read(folder()?.join(name)).with_context(|| format!("there is no {name}; run `make guests`"))
}

/// A built guest's location and digest.
pub(crate) fn source(name: &str) -> Result<ArtifactSource> {
    Ok(ArtifactSource { location: format!("file:{name}"), checksum: Some(digest(&bytes(name)?)) })
}

/// Builds the Python guest if it is missing or out of date; returns its file.
pub(crate) fn python() -> Result<PathBuf> {
    let examples = folder()?.with_file_name("build-python.sh");
    // The script prints text for people, and this program may print JSON.
    let built = Command::new(&examples).stdout(Stdio::null()).status();
    ensure!(built.is_ok_and(|status| status.success()), "{} failed", examples.display());
    Ok(examples.with_file_name("out-bench").join(PYTHON))
}

/// The location and digest of a file, whose folder must be an artifact root.
pub(crate) fn file_source(file: &Path) -> Result<ArtifactSource> {
    let checksum = Some(digest(&std::fs::read(file)?));
    Ok(ArtifactSource { location: format!("file://{}", file.display()), checksum })
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// Makes copies of one guest that behave the same and have different digests.
pub(crate) struct Variants {
    wasm: Vec<u8>,
    directory: TempDir,
    made: u32,
}

impl Variants {
    pub(crate) fn of(guest: &str) -> Result<Self> {
        Ok(Self { wasm: bytes(guest)?, directory: tempfile::tempdir()?, made: 0 })
    }

    /// The folder of the copies, for use as an artifact root.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Makes another copy: the guest and a custom section that holds the copy's number.
    pub(crate) fn next(&mut self) -> Result<(ArtifactSource, Vec<u8>)> {
        /// The section's id, its length, and its name with the name's length. Four bytes
        /// of content follow.
        const SECTION: &[u8] = b"\0\x0c\x07variant";
        self.made += 1;
        let wasm = [&self.wasm[..], SECTION, &self.made.to_le_bytes()].concat();
        let file = self.root().join(format!("{}.wasm", self.made));
        std::fs::write(&file, &wasm)?;
        Ok((file_source(&file)?, wasm))
    }
}
