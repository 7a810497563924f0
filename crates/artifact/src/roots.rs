//! Files below the operator's roots, and no other files.

use crate::ArtifactError;
use crate::location::FilePath;
use crate::retry::AttemptError;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The directories that `file:` locations may lie below.
pub(crate) struct Roots {
    roots: Vec<Root>,
}

struct Root {
    /// As configured, made absolute: the name by which callers know it.
    configured: PathBuf,
    /// With symlinks resolved: the other name by which callers may know it.
    canonical: PathBuf,
    /// Opened once. Every lookup starts at this directory and cannot leave it by `..` or
    /// symlinks, even when another process changes them meanwhile.
    dir: Dir,
}

impl Roots {
    /// Opens every root.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] names the path that is not a directory.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, ArtifactError> {
        let roots = paths.iter().map(|path| {
            Root::open(path).map_err(|error| {
                ArtifactError::storage(
                    format_args!("cannot open the artifact root {}", path.display()),
                    error,
                )
            })
        });
        Ok(Self { roots: roots.collect::<Result<_, _>>()? })
    }

    /// Opens a regular file for reading. It blocks for the disk, and never for the writer
    /// of a FIFO.
    ///
    /// An absolute symlink counts as leading outside, even where its target lies below
    /// the root.
    pub(crate) fn open_file(&self, path: &FilePath, location: &str) -> Result<File, AttemptError> {
        if self.roots.is_empty() {
            return Err(ArtifactError::NoRoots.into());
        }
        let outside = || AttemptError::from(ArtifactError::OutsideRoots { location: location.to_owned() });
        let candidates: Vec<(&Dir, &Path)> = match path {
            FilePath::Relative(path) => self.roots.iter().map(|root| (&root.dir, path.as_path())).collect(),
            FilePath::Absolute(path) => self.roots.iter().filter_map(|root| root.below(path)).collect(),
        };
        let mut missing = None;
        for (dir, path) in candidates {
            match open_regular(dir, path) {
                Ok(file) => return Ok(file),
                Err(error) if leads_outside(&error) => return Err(outside()),
                Err(error) => missing = missing.or(Some(AttemptError::Permanent(error.to_string()))),
            }
        }
        Err(missing.unwrap_or_else(outside))
    }
}

impl Root {
    fn open(path: &Path) -> io::Result<Self> {
        let configured = std::path::absolute(path)?;
        let canonical = path.canonicalize()?;
        let dir = Dir::open_ambient_dir(&canonical, ambient_authority())?;
        Ok(Self { configured, canonical, dir })
    }

    /// The rest of an absolute path below this root, if the text of the path begins with
    /// the root.
    fn below<'a>(&'a self, path: &'a Path) -> Option<(&'a Dir, &'a Path)> {
        let below =
            path.strip_prefix(&self.configured).or_else(|_| path.strip_prefix(&self.canonical)).ok()?;
        Some((&self.dir, below))
    }
}

fn open_regular(dir: &Dir, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Without this flag, opening a FIFO waits for a writer. Reading a regular file is the
    // same with and without it.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = dir.open_with(if path.as_os_str().is_empty() { Path::new(".") } else { path }, &options)?;
    // Asked of the open file: another process may have replaced the path's file since.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file.into_std())
}

/// cap-std makes this error itself, without a number. When the kernel denies permission,
/// the error has a number.
fn leads_outside(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
