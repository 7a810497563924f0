//! Builds a function: runs the author's command, and makes a component where one is
//! needed.

use crate::{Manifest, ProjectError, component};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The largest artifact, in bytes. No host can be configured to take a larger one.
const ARTIFACT_MAX_BYTES: u64 = 1 << 30;

/// The artifact that a build made.
#[derive(Debug, Clone)]
pub struct BuiltArtifact {
    /// The artifact's bytes.
    pub bytes: Vec<u8>,
    /// The file that holds them: the manifest's artifact, or the component made of it.
    pub file: PathBuf,
    /// Whether a component was made of a core module.
    pub componentized: bool,
}

/// The next step of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStep<'a> {
    /// Run this command.
    Command(&'a str),
    /// Make a component of the core module that the command made.
    Componentize,
}

impl Manifest {
    /// Builds the function, and calls `step` before each step. The output of the command
    /// goes to standard error.
    ///
    /// # Errors
    /// When a program is missing, the command fails, or the artifact is not WebAssembly.
    pub fn build(&self, mut step: impl FnMut(BuildStep<'_>)) -> Result<BuiltArtifact, ProjectError> {
        if let Some(build) = &self.build {
            for (program, how) in &build.needs {
                if !is_installed(program, &self.directory) {
                    return Err(ProjectError::Missing { program: program.clone(), how: how.clone() });
                }
            }
            step(BuildStep::Command(&build.command));
            let directory =
                if self.directory.as_os_str().is_empty() { Path::new(".") } else { &self.directory };
            let status = Command::new("sh")
                .args(["-c", &build.command])
                .current_dir(directory)
                .stdin(Stdio::null())
                .stdout(std::io::stderr())
                .status()
                .map_err(|error| ProjectError::io("sh", error))?;
            if !status.success() {
                let status = status.to_string();
                return Err(ProjectError::Build { command: build.command.clone(), status });
            }
        }
        self.artifact(step)
    }

    /// Reads the artifact of the last build, and makes a component of it where one is
    /// needed.
    ///
    /// # Errors
    /// When the artifact is missing or is not WebAssembly.
    pub fn artifact(&self, mut step: impl FnMut(BuildStep<'_>)) -> Result<BuiltArtifact, ProjectError> {
        let path = &self.artifact;
        let wrong = |reason: String| ProjectError::Artifact { path: path.clone(), reason };
        let metadata = std::fs::metadata(path);
        let size = match metadata {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => {
                return Err(wrong("is not a file; `artifact` in the manifest must name a file".to_owned()));
            }
            Err(_) if self.build.is_some() => {
                return Err(wrong(
                    "is not there; build it with `pilum build`, or correct `artifact` in the manifest"
                        .to_owned(),
                ));
            }
            Err(error) => return Err(ProjectError::io(path, error)),
        };
        if size > ARTIFACT_MAX_BYTES {
            return Err(wrong(format!("has {size} bytes, at most {ARTIFACT_MAX_BYTES} are allowed")));
        }
        let bytes = std::fs::read(path).map_err(|error| ProjectError::io(path, error))?;
        if !bytes.starts_with(b"\0asm") {
            return Err(wrong("is not WebAssembly".to_owned()));
        }
        let Some(world) = component::adapter_for(&bytes) else {
            return Ok(BuiltArtifact { bytes, file: path.clone(), componentized: false });
        };
        step(BuildStep::Componentize);
        let bytes = component::componentize(&bytes, world).map_err(wrong)?;
        let file = path.with_extension("component.wasm");
        std::fs::write(&file, &bytes).map_err(|error| ProjectError::io(&file, error))?;
        Ok(BuiltArtifact { bytes, file, componentized: true })
    }
}

/// Whether a program can be run: a path to a file, or a name on the search path.
fn is_installed(program: &str, directory: &Path) -> bool {
    if program.contains('/') {
        return directory.join(program).exists();
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}

#[cfg(test)]
mod tests;
