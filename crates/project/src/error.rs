//! What goes wrong with a project. Every text says what to do.

use std::path::PathBuf;

/// Why a project cannot be made, read or built.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no manifest.
    #[error("there is no {} (make a project with `pilum new`)", .path.display())]
    NoManifest {
        /// Where it would be.
        path: PathBuf,
    },
    /// The manifest is wrong.
    #[error("{}: {reason}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        reason: String,
    },
    /// The folder for a new project has something in it.
    #[error("{} is not empty; `pilum new` takes an empty or a new folder", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A program that the build needs is not there.
    #[error("the build needs {program}, which is not installed: {how}")]
    Missing {
        /// The program.
        program: String,
        /// How to get it, in the words of the manifest.
        how: String,
    },
    /// The build command failed.
    #[error("the build failed ({status}): {command}")]
    Build {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
    },
    /// The build left no artifact, or one that is no wasm.
    #[error("{}: {reason}", .path.display())]
    Artifact {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl ProjectError {
    pub(crate) fn io(path: impl Into<PathBuf>, error: std::io::Error) -> Self {
        Self::Io { path: path.into(), error }
    }
}
