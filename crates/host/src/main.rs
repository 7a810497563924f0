//! The `pilum` binary: reads the command line and calls the library.

use clap::Parser;
use pilum_host::cli::Cli;
use std::process::ExitCode;

/// A call makes some hundred small allocations. With the allocator of the system they
/// take a seventh of the call's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pilum_host::commands::run(Cli::parse())
}
