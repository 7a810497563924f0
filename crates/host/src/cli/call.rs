//! The arguments of `pilum invoke`, `bench` and `inspect`.

use super::remote::Remote;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `pilum invoke`.
#[derive(Debug, Args)]
#[command(after_help = "TARGET is one of\n  \
    ./hello.wasm         a file: it runs in this process, without a host\n  \
    task-01h…            the id of a task on the host\n  \
    hello                the name of a task on the host\n  \
    file:///…/hello.wasm a location the host can read: the task is registered if it is new\n  \
    https://…/hello.wasm the same\n\n\
    Parameters are name=value, or values alone in the function's order. A value that is JSON is read as \
    JSON (5, true, [1,2], {\"a\":1}, null, \"5\"), any other value as a string. name=@FILE takes the text \
    of a file.\n\nExamples:\n  pilum invoke ./calc.wasm add a=2 b=3\n  \
    pilum invoke analyze analyze-dataset csv=@sales.csv resamples=5000 --async\n\n\
    Exit codes: 0 the function completed, 1 it ran and failed, 2 the call was refused.")]
// More than 12 fields, because each of them is one argument of the command.
pub struct Invoke {
    /// A file, a task, or a location (see below)
    pub target: String,
    /// The function's name, in full or short
    pub function: String,
    /// Its parameters: name=value …
    #[arg(value_name = "NAME=VALUE", allow_negative_numbers = true)]
    pub parameters: Vec<String>,
    /// Return at once with the execution's id; follow it with `pilum watch`
    #[arg(long = "async")]
    pub asynchronous: bool,
    /// Print the output while the function writes it
    #[arg(long, conflicts_with_all = ["asynchronous", "json"])]
    pub stream: bool,
    /// With --async: how urgent the execution is
    #[arg(long, value_enum, requires = "asynchronous")]
    pub priority: Option<PriorityArg>,
    /// With --async: start not before this time (2026-01-31T12:00:00Z) or delay (90s, 10m, 2h)
    #[arg(long, value_name = "TIME", requires = "asynchronous")]
    pub not_before: Option<String>,
    /// With --async: the execution ends as TIMEOUT at this time or after this delay
    #[arg(long, value_name = "TIME", requires = "asynchronous")]
    pub deadline: Option<String>,
    /// With --async: a URL to which the host sends the result
    #[arg(long, value_name = "URL", requires = "asynchronous")]
    pub callback: Option<String>,
    /// The timeout in milliseconds [default: the host's]
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u32>,
    /// How many times to retry a failure that may pass [default: the host's]
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u16>,
    /// The id of the execution; the same call with the same id runs once
    #[arg(long, value_name = "ID")]
    pub execution_id: Option<String>,
    /// The name of the task, for a location [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    pub task_name: Option<String>,
    /// The digest of the artifact, for a location [default: computed for a file: location that can be read here]
    #[arg(long, value_name = "SHA256")]
    pub checksum: Option<String>,
    /// An environment variable for the function
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<String>,
    /// Use an instance that has served no other call
    #[arg(long)]
    pub force_new_instance: bool,
    /// Where to keep the native code of a file [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// How urgent an execution is.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PriorityArg {
    Low,
    Normal,
    High,
    Urgent,
}

/// `pilum bench`.
#[derive(Debug, Args)]
#[command(after_help = "A file is called in three ways, in turn: by wasmtime alone, through the host in \
    this process, and over gRPC on a loopback port. A task is called on its host, over gRPC.\n\nTimes are \
    in microseconds. Exit codes: 0 measured, 1 the function failed, 2 the call was refused.\n\nExamples:\n  \
    pilum bench ./calc.wasm add a=2 b=3\n  pilum bench calc add a=2 b=3 --in-flight 32")]
pub struct Bench {
    /// A file, or a task of a host by id or name
    pub target: String,
    /// The function's name, in full or short
    pub function: String,
    /// Its parameters: name=value …
    #[arg(value_name = "NAME=VALUE", allow_negative_numbers = true)]
    pub parameters: Vec<String>,
    /// How many seconds to measure each way
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Calls in flight at once over gRPC
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub in_flight: u32,
    /// Where to keep the native code of a file [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The .wasm file
    pub file: PathBuf,
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// Where to keep the native code of the file [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}
