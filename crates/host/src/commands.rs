//! What each subcommand does.

mod bench;
mod dead_letters;
mod deploy;
mod dev;
mod executions;
mod inspect;
mod invoke;
mod local_host;
mod project;
mod remote;
mod target;
mod tasks;
mod watch;

use crate::cli::{Cli, Command};
use crate::serve;
use crate::terminal::{exit, print};
use anyhow::Result;
use std::process::ExitCode;

/// Runs one subcommand to its exit code: 0 it did what was asked, 1 the
/// function ran and failed, 2 the command was refused.
pub fn run(cli: Cli) -> ExitCode {
    let ended = match cli.command {
        Command::Serve(serve) => serve::run(serve).map(|()| ExitCode::SUCCESS),
        Command::CompileChild { metered } => return pilum_engine::run_compile_child(metered),
        Command::New(new) => project::new(&new),
        Command::Build(build) => project::build(&build),
        Command::Deploy(deploy) => block_on(deploy::deploy(deploy)),
        Command::Rollback(rollback) => block_on(deploy::rollback(rollback)),
        Command::Delete(delete) => block_on(tasks::delete(delete)),
        Command::Describe(describe) => block_on(tasks::describe(describe)),
        Command::Dev(dev) => block_on(dev::run(dev)),
        Command::Invoke(invoke) => block_on(invoke::run(*invoke)),
        Command::Status(status) => block_on(executions::status(status)),
        Command::Watch(watch) => block_on(watch::run(watch)),
        Command::DeadLetters(letters) => block_on(dead_letters::run(letters)),
        Command::Cancel(cancel) => block_on(executions::cancel(cancel)),
        Command::Tasks(tasks) => block_on(tasks::list(tasks)),
        Command::Executions(list) => block_on(executions::list(list)),
        Command::Bench(bench) => block_on(bench::run(bench)),
        Command::Inspect(inspect) => block_on(inspect::run(inspect)),
    };
    ended.unwrap_or_else(|error| {
        print::error(&error);
        ExitCode::from(exit::REFUSED)
    })
}

fn block_on(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
