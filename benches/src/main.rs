//! Measures what Pilum costs. Each figure has a control, which is measured in the
//! same run, in turn with Pilum.
//!
//! `make bench` prints one table and writes it into RESULTS.md; `make bench
//! BENCH=grpc_sync` runs one row and prints it. Only ratios count: machines are
//! noisy, and both sides of a ratio see the same noise.

mod client;
mod controls;
mod growth;
mod guests;
mod in_process;
mod instructions;
mod measure;
mod results;
mod rows;
mod server;
mod store_file;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use controls::echo::Inside;
use results::report::{self, Machine, Report};
use results::table;
use std::path::{Path, PathBuf};

/// Measures what Pilum costs against controls.
#[derive(Debug, Parser)]
struct Cli {
    /// Measure only the rows whose names begin with this
    #[arg(default_value = "")]
    rows: String,
    /// Number of rounds of each figure and its control
    #[arg(long, global = true, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..=100))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, global = true, default_value_t = 2.0)]
    seconds: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Also write the table into this file, between its two marks
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the program does instead of measuring the table.
#[derive(Debug, Subcommand)]
enum Role {
    /// Measure how cost grows with tasks, records and calls in flight; writes benches/plots
    Growth,
    /// Serve as the control of the gRPC rows: a bare tonic server with fixed answers
    #[command(hide = true)]
    ControlEcho {
        #[arg(long, value_enum, default_value_t = Inside::Nothing)]
        inside: Inside,
    },
    /// Count the instructions of a call in process, with valgrind
    Instructions,
    /// Make the calls that valgrind counts
    #[command(hide = true)]
    Counted { kind: String },
    /// Serve as the compiling child process of the host in process
    #[command(hide = true)]
    CompileChild {
        #[arg(long)]
        metered: bool,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let plan = measure::Plan { rounds: cli.rounds, seconds: cli.seconds };
    match cli.role {
        Some(Role::Growth) => growth::run(plan, &Path::new(env!("CARGO_MANIFEST_DIR")).join("plots")),
        Some(Role::ControlEcho { inside }) => controls::echo::serve(inside),
        Some(Role::Instructions) => instructions::print(),
        Some(Role::Counted { kind }) => instructions::run(&kind),
        Some(Role::CompileChild { metered }) => {
            let code = pilum_engine::run_compile_child(metered);
            ensure!(code == std::process::ExitCode::SUCCESS, "compiling failed");
            Ok(())
        }
        None => {
            // Read before measuring: a commit that is made meanwhile is not what was measured.
            let commit = report::commit();
            let (figures, failures) = rows::run(&cli.rows, plan)?;
            let report = Report { commit, machine: Machine::here(), plan, figures, failures };
            print(&report, cli.json)?;
            if let Some(file) = cli.results {
                table::keep(&report, &file)?;
            }
            // A missed target is a result. A row that was not measured is a failure.
            let failed: Vec<_> = report.failures.iter().map(|failure| failure.row).collect();
            ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
            Ok(())
        }
    }
}

#[expect(clippy::print_stdout, reason = "this program's output")]
fn print(report: &Report, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", table::markdown(report));
    }
    Ok(())
}
