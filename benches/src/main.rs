//! Measures what Pilum costs against controls, in the same run, alternating.
//!
//! `make bench` prints one table; `make bench BENCH=grpc_sync` runs one row.
//! Only ratios count: machines are noisy, and both sides of a ratio see the
//! same noise.

mod controls;
mod host;
mod load;
mod measure;
mod rows;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures what Pilum costs against controls.
#[derive(Debug, Parser)]
struct Cli {
    /// Only rows whose names begin like this
    #[arg(default_value = "")]
    rows: String,
    /// Rounds of each figure and its control
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..=100))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// Other processes this binary is started as.
#[derive(Debug, Subcommand)]
enum Role {
    /// The control of grpc_sync: a bare tonic server with a canned answer
    #[command(hide = true)]
    ControlEcho,
    /// The compiling child of the in-process host
    #[command(hide = true)]
    CompileChild {
        #[arg(long)]
        metered: bool,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.role {
        Some(Role::ControlEcho) => controls::echo::serve(),
        Some(Role::CompileChild { metered }) => {
            let code = pilum_engine::run_compile_child(metered);
            anyhow::ensure!(code == std::process::ExitCode::SUCCESS, "compiling failed");
            Ok(())
        }
        None => {
            let plan = measure::Plan { rounds: cli.rounds, seconds: cli.seconds };
            let figures = rows::run(&cli.rows, plan)?;
            table::print(&figures, cli.json)
        }
    }
}
