//! The command line: subcommands, arguments, options, and their help.

mod call;
mod execution;
mod project;
mod remote;
mod serve;
mod task;

pub use self::call::{Bench, Inspect, Invoke, PriorityArg};
pub use self::execution::{
    Cancel, DeadLetterList, DeadLetterPick, DeadLetters, Executions, StateArg, Status, Watch,
};
pub use self::project::{Build, Deploy, Dev, New};
pub use self::remote::Remote;
pub use self::serve::Serve;
pub use self::task::{Delete, Describe, Rollback, Tasks};

use clap::{Parser, Subcommand};

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
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project from a template.
    New(New),
    /// Build a project.
    Build(Build),
    /// Deploy a built project to a host.
    Deploy(Deploy),
    /// Build and deploy a project whenever it changes, and show its calls.
    Dev(Dev),
    /// Make an earlier revision of a task active again.
    Rollback(Rollback),
    /// Delete a task from a host, with the values that its functions stored.
    Delete(Delete),
    /// Show a task: its functions, imports, policy and revisions.
    Describe(Describe),
    /// Start a host.
    Serve(Serve),
    /// Call a function and print its result.
    Invoke(Box<Invoke>),
    /// Show an execution: its state, result, and log.
    Status(Status),
    /// Follow an execution to its end.
    Watch(Watch),
    /// Cancel an execution.
    Cancel(Cancel),
    /// List the tasks of a host.
    Tasks(Tasks),
    /// List the executions of a host.
    Executions(Executions),
    /// Executions that failed for good: list them, run them again, or discard them.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Show what a .wasm file exports and imports, without running it.
    Inspect(Inspect),
    /// Measure how long a function's calls take, and how much of that the host adds.
    Bench(Bench),
    /// Compile wasm from standard input. The host starts this command itself.
    #[command(hide = true)]
    CompileChild {
        /// Make the generated code count fuel.
        #[arg(long)]
        metered: bool,
    },
}
