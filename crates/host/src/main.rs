//! The `pilum` binary: reads the command line and leaves the rest to the library.

use clap::Parser;
use pilum_host::cli::Cli;
use std::process::ExitCode;

/// A call makes some hundred small allocations; with the system's own allocator
/// they are a seventh of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pilum_host::commands::run(Cli::parse())
}
