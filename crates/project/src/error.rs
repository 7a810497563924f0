//! Errors of projects. Every text says what to do.

use std::path::PathBuf;

/// Why a project cannot be made, read or built.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The manifest is missing.
    #[error("there is no {} (make a project with `pilum new`)", .path.display())]
    NoManifest {
        /// Where the manifest was looked for.
        path: PathBuf,
    },
    /// The manifest is wrong.
    #[error("{}: {reason}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The mistake, with its line if the line is known.
        reason: String,
    },
    /// The folder for a new project is not empty.
    #[error("{} is not empty; `pilum new` takes an empty or a new folder", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A program that the build needs is not installed.
    #[error("the build needs {program}, which is not installed: {how}")]
    Missing {
        /// The program.
        program: String,
        /// How to install it, as the manifest says.
        how: String,
    },
    /// The build command failed.
    #[error("the build failed ({status}): {command}")]
    Build {
        /// The command.
        command: String,
        /// The exit status of the command.
        status: String,
    },
    /// The artifact is missing, too large, or not WebAssembly.
    #[error("{}: {reason}", .path.display())]
    Artifact {
        /// The path of the artifact.
        path: PathBuf,
        /// The mistake.
        reason: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
}

impl ProjectError {
    pub(crate) fn io(path: impl Into<PathBuf>, error: std::io::Error) -> Self {
        Self::Io { path: path.into(), error }
    }
}
