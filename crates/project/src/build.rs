//! Builds a function: the author's command, and a component of what it left.

use crate::{Manifest, ProjectError, component};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The largest artifact, in bytes: as hosts take them at most.
const ARTIFACT_MAX_BYTES: u64 = 1 << 30;

/// What a build left.
#[derive(Debug, Clone)]
pub struct Built {
    /// The artifact's bytes.
    pub bytes: Vec<u8>,
    /// Where they are: the manifest's artifact, or the component made of it.
    pub file: PathBuf,
    /// Whether a component was made of a core module.
    pub componentized: bool,
}

/// What a build is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Run this command.
    Command(&'a str),
    /// Make a component of the core module that it left.
    Componentize,
}

impl Manifest {
    /// Builds the function. What the command says goes to standard error.
    ///
    /// # Errors
    /// When a program is missing, the command fails, or what it leaves is no wasm.
    pub fn build(&self, mut step: impl FnMut(Step<'_>)) -> Result<Built, ProjectError> {
        if let Some(build) = &self.build {
            for (program, how) in &build.needs {
                if !is_installed(program, &self.directory) {
                    return Err(ProjectError::Missing { program: program.clone(), how: how.clone() });
                }
            }
            step(Step::Command(&build.command));
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

    /// What the last build left, as it is deployed.
    ///
    /// # Errors
    /// When there is nothing, or it is no wasm.
    pub fn artifact(&self, mut step: impl FnMut(Step<'_>)) -> Result<Built, ProjectError> {
        let path = &self.artifact;
        let wrong = |reason: String| ProjectError::Artifact { path: path.clone(), reason };
        let metadata = std::fs::metadata(path);
        let size = match metadata {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Err(wrong("is no file; it is what `artifact` names".to_owned())),
            Err(_) if self.build.is_some() => {
                return Err(wrong(
                    "is not there; build it with `pilum build`, or mend `artifact`".to_owned(),
                ));
            }
            Err(error) => return Err(ProjectError::io(path, error)),
        };
        if size > ARTIFACT_MAX_BYTES {
            return Err(wrong(format!("has {size} bytes, at most {ARTIFACT_MAX_BYTES} are taken")));
        }
        let bytes = std::fs::read(path).map_err(|error| ProjectError::io(path, error))?;
        if !bytes.starts_with(b"\0asm") {
            return Err(wrong("is no WebAssembly".to_owned()));
        }
        let Some(world) = component::adapter_for(&bytes) else {
            return Ok(Built { bytes, file: path.clone(), componentized: false });
        };
        step(Step::Componentize);
        let bytes = component::make(&bytes, world).map_err(wrong)?;
        let file = path.with_extension("component.wasm");
        std::fs::write(&file, &bytes).map_err(|error| ProjectError::io(&file, error))?;
        Ok(Built { bytes, file, componentized: true })
    }
}

/// Whether a program can be run: found on the search path, or a path that leads to it.
fn is_installed(program: &str, directory: &Path) -> bool {
    if program.contains('/') {
        return directory.join(program).exists();
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}

#[cfg(test)]
mod tests;
