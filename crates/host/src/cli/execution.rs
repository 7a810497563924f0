//! The arguments of `pilum status`, `watch`, `cancel`, `executions` and `dead-letters`.

use super::remote::Remote;
use clap::{Args, Subcommand, ValueEnum};

/// `pilum status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The execution's id
    pub execution_id: String,
    /// Show the log too
    #[arg(long)]
    pub logs: bool,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum watch`.
#[derive(Debug, Args)]
#[command(after_help = "Updates go to standard error and the result to standard output, as with `pilum \
    status`. With --json, each update is one line of JSON.\n\nExit codes: 0 the function completed, \
    1 it ran and failed, 2 there is nothing to follow.")]
pub struct Watch {
    /// The execution's id
    pub execution_id: String,
    /// Show its log while the function writes it
    #[arg(long)]
    pub logs: bool,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The execution's id
    pub execution_id: String,
    /// Stop it even if it is running
    #[arg(long)]
    pub force: bool,
    /// The reason, for its record
    #[arg(long, default_value = "")]
    pub reason: String,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum executions`.
#[derive(Debug, Args)]
pub struct Executions {
    /// Only those of this task, by id or name
    pub task: Option<String>,
    /// Only those in this state
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
    /// The most executions to list
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// A state of an execution.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum StateArg {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

/// `pilum dead-letters`.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List them with their errors; `pilum status ID` shows one in full.
    List(DeadLetterList),
    /// Call their functions again, each as a new execution.
    Redrive(DeadLetterPick),
    /// Remove them from the list; the executions keep their state.
    Discard(DeadLetterPick),
}

/// `pilum dead-letters list`.
#[derive(Debug, Args)]
pub struct DeadLetterList {
    /// Only those of this task, by id or name
    pub task: Option<String>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
pub struct DeadLetterPick {
    /// The executions' ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub execution_ids: Vec<String>,
    /// All dead letters, or all of --task
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this task, by id or name
    #[arg(long, requires = "all")]
    pub task: Option<String>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}
