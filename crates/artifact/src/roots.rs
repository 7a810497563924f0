//! Files below the operator's roots, and nothing beside them.

use crate::ArtifactError;
use crate::location::FilePath;
use crate::retry::Failure;
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
    /// As configured, made absolute: what callers know it by.
    configured: PathBuf,
    /// With symlinks resolved: the other name a caller may know it by.
    canonical: PathBuf,
    /// Opened once. Every lookup starts here and cannot rise above it, whatever
    /// `..` and symlinks there are and whoever changes them meanwhile.
    dir: Dir,
}

impl Roots {
    /// Opens every root.
    ///
    /// # Errors
    /// [`ArtifactError::Storage`] names one that is no directory.
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

    /// Opens a regular file for reading. Blocks, though not on a FIFO.
    ///
    /// An absolute symlink counts as leading outside even where its target lies
    /// below the root: it names a place by a path the root does not govern.
    pub(crate) fn open_file(&self, path: &FilePath, location: &str) -> Result<File, Failure> {
        if self.roots.is_empty() {
            return Err(ArtifactError::NoRoots.into());
        }
        let outside = || Failure::from(ArtifactError::OutsideRoots { location: location.to_owned() });
        let candidates: Vec<(&Dir, &Path)> = match path {
            FilePath::Relative(path) => self.roots.iter().map(|root| (&root.dir, path.as_path())).collect(),
            FilePath::Absolute(path) => self.roots.iter().filter_map(|root| root.below(path)).collect(),
        };
        let mut missing = None;
        for (dir, path) in candidates {
            match open_regular(dir, path) {
                Ok(file) => return Ok(file),
                Err(error) if leads_outside(&error) => return Err(outside()),
                Err(error) => missing = missing.or(Some(Failure::Lasting(error.to_string()))),
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

    /// The part of an absolute path that lies below this root, if it does by its text.
    fn below<'a>(&'a self, path: &'a Path) -> Option<(&'a Dir, &'a Path)> {
        let below =
            path.strip_prefix(&self.configured).or_else(|_| path.strip_prefix(&self.canonical)).ok()?;
        Some((&self.dir, below))
    }
}

fn open_regular(dir: &Dir, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Without it, opening a FIFO waits for a writer. Reading a regular file is
    // not changed by it.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = dir.open_with(if path.as_os_str().is_empty() { Path::new(".") } else { path }, &options)?;
    // Asked of the open file, so that it is the one that is then read.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file.into_std())
}

/// cap-std makes this error itself; the kernel's own refusal of permission has a number.
fn leads_outside(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
