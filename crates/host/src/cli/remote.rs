//! The options of every command that talks to a host.

use clap::Args;

/// How to reach a host, and how to print.
#[derive(Debug, Args)]
pub struct Remote {
    /// The host's gRPC address
    #[arg(long, env = "PILUM_SERVER", value_name = "HOST:PORT", default_value = "127.0.0.1:50052")]
    pub server: String,
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
}
