//! Runs the `pilum` binary with arguments; returns its output and exit code.

use crate::Host;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long one command of a debug build may take, on a busy machine.
const RUN_TIMEOUT: Duration = Duration::from_secs(120);

/// A command that is not run yet.
#[derive(Debug)]
pub struct Pilum(Command);

/// The exit code and the output of a command.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Pilum {
    /// `pilum ARGUMENTS`, with empty standard input and without the `PILUM_` variables of
    /// the tests' own environment.
    ///
    /// # Errors
    /// If the binary is not built.
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

    /// Sets a variable in the command's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs the command and waits until it ends.
    ///
    /// # Errors
    /// If the command does not end in time.
    pub async fn run(mut self) -> Result<CommandOutput> {
        let output = tokio::time::timeout(RUN_TIMEOUT, self.0.output()).await;
        let output = output.with_context(|| format!("{:?} does not end", self.0.as_std()))??;
        Ok(CommandOutput {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
