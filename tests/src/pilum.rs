//! The binary as a person runs it: arguments in, text and an exit code out.

use crate::Host;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long one command may take: a debug build on a busy machine.
const RUN_TIMEOUT: Duration = Duration::from_secs(120);

/// A command that is not run yet.
#[derive(Debug)]
pub struct Pilum(Command);

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Pilum {
    /// `pilum ARGUMENTS`. Standard input is empty; no `PILUM_` variable of the
    /// tests' own environment reaches it.
    ///
    /// # Errors
    /// When the binary was not built.
    pub fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut command = Command::new(Host::binary()?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PILUM_") {
                command.env_remove(name);
            }
        }
        Ok(Self(command))
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn run(mut self) -> Result<Ran> {
        let output = tokio::time::timeout(RUN_TIMEOUT, self.0.output()).await;
        let output = output.with_context(|| format!("{:?} does not end", self.0.as_std()))??;
        Ok(Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
