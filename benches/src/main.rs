//! Measures what Pilum costs against controls, in the same run, alternating.
//!
//! `make bench` prints one table and keeps it in RESULTS.md; `make bench
//! BENCH=grpc_sync` runs one row and prints it. Only ratios count: machines are
//! noisy, and both sides of a ratio see the same noise.

mod controls;
mod growth;
mod guests;
mod http;
mod in_process;
mod instructions;
mod load;
mod measure;
mod plot;
mod report;
mod rows;
mod server;
mod store_file;
mod table;
mod target;
mod tasks;
mod wire;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use controls::echo::Inside;
use report::{Machine, Report};
use std::path::{Path, PathBuf};

/// Measures what Pilum costs against controls.
#[derive(Debug, Parser)]
struct Cli {
    /// Only rows whose names begin like this
    #[arg(default_value = "")]
    rows: String,
    /// Rounds of each figure and its control
    #[arg(long, global = true, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..=100))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, global = true, default_value_t = 2.0)]
    seconds: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Keep the table in this file too, between its two marks
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// Other things than the table.
#[derive(Debug, Subcommand)]
enum Role {
    /// How cost grows with tasks, records and calls in flight: writes benches/plots
    Growth,
    /// The control of what goes over gRPC: a bare tonic server with canned answers
    #[command(hide = true)]
    ControlEcho {
        #[arg(long, value_enum, default_value_t = Inside::Nothing)]
        inside: Inside,
    },
    /// Instructions that a call in process takes, counted by valgrind
    Instructions,
    /// What valgrind counts
    #[command(hide = true)]
    Counted { kind: String },
    /// The compiling child of the in-process host
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
            // Asked first: what is committed while it runs is not what runs.
            let commit = report::commit();
            let (figures, failures) = rows::run(&cli.rows, plan)?;
            let report = Report { commit, machine: Machine::here(), plan, figures, failures };
            print(&report, cli.json)?;
            if let Some(file) = cli.results {
                table::keep(&report, &file)?;
            }
            // A missed target is a result; a row without one is a failure.
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
