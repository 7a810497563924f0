//! The arguments of `pilum rollback`, `delete`, `describe` and `tasks`.

use super::remote::Remote;
use clap::Args;

/// `pilum rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The task, by name or id
    pub task: String,
    /// The number of the revision [default: the one before the active one]
    #[arg(long, value_name = "N")]
    pub revision: Option<u32>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum delete`.
#[derive(Debug, Args)]
pub struct Delete {
    /// The task, by name or id
    pub task: String,
    /// Cancel its waiting and running executions, and delete the records of those that ended
    #[arg(long)]
    pub force: bool,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum describe`.
#[derive(Debug, Args)]
#[command(after_help = "With --json, each function has a JSON Schema of its parameters and its result.")]
pub struct Describe {
    /// The task, by name or id
    pub task: String,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum tasks`.
#[derive(Debug, Args)]
pub struct Tasks {
    /// Only tasks whose names begin with this text
    #[arg(default_value = "")]
    pub prefix: String,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}
