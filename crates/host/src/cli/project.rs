//! The arguments of `pilum new`, `build`, `deploy` and `dev`.

use super::remote::Remote;
use clap::Args;
use std::path::PathBuf;

/// `pilum new`.
#[derive(Debug, Args)]
#[command(after_help = "Without --template, this command lists the templates.\n\nExample:\n  \
    pilum new --template rust-component hello && cd hello && pilum dev")]
pub struct New {
    /// The name of the template
    #[arg(long, short, value_name = "NAME")]
    pub template: Option<String>,
    /// The folder of the new project; its name becomes the name of the task
    pub folder: Option<PathBuf>,
}

/// `pilum build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs the build command of `pilum.toml`. If it makes a core module that names its WIT \
    world, the module is made into a component. The output of the command goes to standard error."
)]
pub struct Build {
    /// The project's folder, or its manifest
    #[arg(default_value = ".")]
    pub project: PathBuf,
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// `pilum deploy`.
#[derive(Debug, Args)]
#[command(after_help = "The task has the name in `pilum.toml`. A task that exists gets a new revision. \
    Running calls finish on the old revision, and `pilum rollback` returns to it.")]
pub struct Deploy {
    /// The project's folder, or its manifest
    #[arg(default_value = ".")]
    pub project: PathBuf,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum dev`.
#[derive(Debug, Args)]
#[command(after_help = "If no host answers at --server, this command starts one there, with its data in \
    the folder `.pilum` of the project. That host ends with this command.")]
pub struct Dev {
    /// The project's folder, or its manifest
    #[arg(default_value = ".")]
    pub project: PathBuf,
    /// The host's gRPC address
    #[arg(long, env = "PILUM_SERVER", value_name = "HOST:PORT", default_value = "127.0.0.1:50052")]
    pub server: String,
    /// Where the host that this command starts listens for HTTP
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    pub http_listen: String,
}
