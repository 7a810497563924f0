//! The command line: what can be typed, and what its help teaches.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs WebAssembly functions: locally from a file, or on a host over gRPC.
#[derive(Debug, Parser)]
#[command(
    name = "pilum",
    version,
    arg_required_else_help = true,
    after_help = "Try it without a server:\n  pilum invoke ./function.wasm NAME key=value\n\n\
        Write a function:\n  pilum new --template rust-component hello && cd hello && pilum dev\n\n\
        Start a host, then call it:\n  pilum serve --artifact-root $PWD\n  \
        pilum invoke file://$PWD/function.wasm NAME key=value\n  pilum tasks"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project from a template.
    New(New),
    /// Build a project.
    Build(Build),
    /// Deploy what a project's build left to a host.
    Deploy(Deploy),
    /// Build and deploy a project whenever it changes, and show its calls.
    Dev(Dev),
    /// Put an earlier revision of a task in force again.
    Rollback(Rollback),
    /// Take a task off a host, with what its functions kept.
    Delete(Delete),
    /// Show what a task is: its functions, imports, policy and revisions.
    Describe(Describe),
    /// Start a host.
    Serve(Serve),
    /// Call a function and print its result.
    Invoke(Box<Invoke>),
    /// Show an execution: its state, result, and log.
    Status(Status),
    /// Follow an execution to its end, and what it writes.
    Watch(Watch),
    /// Cancel an execution.
    Cancel(Cancel),
    /// List the tasks of a host.
    Tasks(Tasks),
    /// List the executions of a host.
    Executions(Executions),
    /// Executions that failed for good: list them, run them anew, or give them up.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Show what a .wasm file exports and imports, without running it.
    Inspect(Inspect),
    /// Measure what a function's calls take, and what the host adds to them.
    Bench(Bench),
    /// Compile wasm from standard input; the host starts this itself.
    #[command(hide = true)]
    CompileChild {
        /// Count fuel in the generated code.
        #[arg(long)]
        metered: bool,
    },
}

/// `pilum new`.
#[derive(Debug, Args)]
#[command(after_help = "Without --template it lists the templates.\n\nExample:\n  \
    pilum new --template rust-component hello && cd hello && pilum dev")]
pub struct New {
    /// Which template
    #[arg(long, short, value_name = "NAME")]
    pub template: Option<String>,
    /// The new project's folder; its name becomes the task's
    pub folder: Option<PathBuf>,
}

/// `pilum build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs the command of `pilum.toml` and, where that leaves a core module with a world of \
    WIT, makes a component of it. What the command says goes to standard error."
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
#[command(after_help = "The task has the name in `pilum.toml`; one that exists gets a new revision. Calls \
    that run finish on the old one, and `pilum rollback` returns to it.")]
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
#[command(after_help = "Where no host answers at --server, one is started there, with its data in the \
    project's folder `.pilum`; it ends with this command.")]
pub struct Dev {
    /// The project's folder, or its manifest
    #[arg(default_value = ".")]
    pub project: PathBuf,
    /// The host's gRPC address
    #[arg(long, env = "PILUM_SERVER", value_name = "HOST:PORT", default_value = "127.0.0.1:50052")]
    pub server: String,
    /// Where a host that is started listens for HTTP
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    pub http_listen: String,
}

/// `pilum rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The task, by name or id
    pub task: String,
    /// The revision's number [default: the one before the present one]
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
    /// Cancel what waits or runs of it, and forget what ended
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

/// `pilum serve`.
#[derive(Debug, Args)]
#[command(after_help = "Once it is ready it prints one line on standard output:\n  \
    pilum ready grpc=HOST:PORT http=HOST:PORT\nLogs go to standard error. SIGTERM and ctrl-c let running \
    executions end.\n\nEvery key of the configuration can also be set by a variable, for example\n  \
    PILUM_SYNC_EXECUTION__MAX_CONCURRENT_REQUESTS=500")]
pub struct Serve {
    /// The configuration, a TOML file
    #[arg(long, env = "PILUM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen for gRPC [default: 127.0.0.1:50052; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT")]
    pub grpc_listen: Option<String>,
    /// Where to listen for HTTP [default: 127.0.0.1:8081; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT")]
    pub http_listen: Option<String>,
    /// Where to keep artifacts and native code [default: ./pilum-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A directory that `file:` locations may lead into; can be given several times
    #[arg(long, value_name = "DIR")]
    pub artifact_root: Vec<PathBuf>,
}

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

/// `pilum invoke`.
#[derive(Debug, Args)]
#[command(after_help = "TARGET is one of\n  \
    ./hello.wasm         a file: it runs right here, no server needed\n  \
    task-01h…            the id of a task on the host\n  \
    hello                the name of a task on the host\n  \
    file:///…/hello.wasm a location the host can read: the task is registered if it is new\n  \
    https://…/hello.wasm the same\n\n\
    Parameters are name=value, or values alone in the function's order. A value that is JSON is taken as \
    JSON (5, true, [1,2], {\"a\":1}, null, \"5\"), anything else as a string. name=@FILE takes a file's \
    text.\n\nExamples:\n  pilum invoke ./calc.wasm add a=2 b=3\n  \
    pilum invoke analyze analyze-dataset csv=@sales.csv resamples=5000 --async\n\n\
    Exit codes: 0 the function completed, 1 it ran and failed, 2 the call was refused.")]
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
    /// Print the output while it is written
    #[arg(long, conflicts_with_all = ["asynchronous", "json"])]
    pub stream: bool,
    /// With --async: before which others it runs
    #[arg(long, value_enum, requires = "asynchronous")]
    pub priority: Option<PriorityArg>,
    /// With --async: not before this time (2026-01-31T12:00:00Z) or after so long (90s, 10m, 2h)
    #[arg(long, value_name = "TIME", requires = "asynchronous")]
    pub not_before: Option<String>,
    /// With --async: of no use after this time, or so long from now
    #[arg(long, value_name = "TIME", requires = "asynchronous")]
    pub deadline: Option<String>,
    /// With --async: a URL that is sent the result
    #[arg(long, value_name = "URL", requires = "asynchronous")]
    pub callback: Option<String>,
    /// The timeout; the host's default where it is not given
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u32>,
    /// How often to try again when that may help; the host's default where it is not given
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u16>,
    /// The execution's id: the same id and the same call run once
    #[arg(long, value_name = "ID")]
    pub execution_id: Option<String>,
    /// The name to register the task under, for a location [default: the file's name]
    #[arg(long, value_name = "NAME")]
    pub task_name: Option<String>,
    /// The digest the artifact must have, for a location [default: computed for a file: location that can be read here]
    #[arg(long, value_name = "SHA256")]
    pub checksum: Option<String>,
    /// An environment variable for the function
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<String>,
    /// Use an instance that has served no other call
    #[arg(long)]
    pub force_new_instance: bool,
    /// Where a file that runs here keeps its native code [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

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
#[command(after_help = "News go to standard error and the result to standard output, as with `pilum \
    status`. With --json, each piece of news is one line of JSON.\n\nExit codes: 0 the function completed, \
    1 it ran and failed, 2 there is nothing to follow.")]
pub struct Watch {
    /// The execution's id
    pub execution_id: String,
    /// Show what it writes while it writes it
    #[arg(long)]
    pub logs: bool,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum dead-letters`.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List them, with what went wrong; `pilum status ID` shows all about one.
    List(DeadLetterList),
    /// Call their functions again, each as a new execution.
    Redrive(DeadLetterPick),
    /// Take them off the list; the executions stay as they ended.
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
    /// All there are, or all of --task
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this task, by id or name
    #[arg(long, requires = "all")]
    pub task: Option<String>,
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
    /// Why, for its record
    #[arg(long, default_value = "")]
    pub reason: String,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// `pilum tasks`.
#[derive(Debug, Args)]
pub struct Tasks {
    /// Only tasks whose names begin like this
    #[arg(default_value = "")]
    pub prefix: String,
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
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}

/// How urgent an execution is.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the names are the priorities' own")]
pub enum PriorityArg {
    Low,
    Normal,
    High,
    Urgent,
}

/// A state of an execution.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the names are the states' own")]
pub enum StateArg {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

/// `pilum inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The .wasm file
    pub file: PathBuf,
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// Where to keep its native code [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
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
    /// How long to measure each way
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Calls in flight at once over gRPC
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub in_flight: u32,
    /// Where a file's native code is kept [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub remote: Remote,
}
