//! The `pilum` binary: reads the command line and leaves the rest to the library.

use clap::Parser;
use pilum_host::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    pilum_host::commands::run(Cli::parse())
}
