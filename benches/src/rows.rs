//! The rows of the table, each with its control.

mod async_accept;
mod cancel;
mod cold;
mod density;
mod fairness;
mod grpc_sync;
mod http_handler;
mod invoke;
mod many_tasks;
mod metering;
pub(crate) mod status_read;
mod stream;
mod warm_pool;

use crate::measure::{Figure, Plan};
use crate::results::report::Failure;
use anyhow::{Result, ensure};

/// One row: its name and the function that measures it.
type Row = (&'static str, fn(Plan) -> Result<Vec<Figure>>);

const ROWS: &[Row] = &[
    ("grpc_sync", grpc_sync::run),
    ("invoke", invoke::run),
    ("http_handler", http_handler::run),
    ("stream", stream::run),
    ("warm_pool", warm_pool::run),
    ("many_tasks", many_tasks::run),
    ("status_read", status_read::run),
    ("async_accept", async_accept::run),
    ("cold_task", cold::task::run),
    ("cold_host", cold::host::run),
    ("first_compile", cold::first_compile::run),
    ("compile_storm", cold::compile_storm::run),
    ("fairness", fairness::run),
    ("cancel", cancel::run),
    ("density", density::run),
    ("metering", metering::run),
];

/// Runs the rows whose names begin with `prefix`. If one row fails, the others are
/// still measured.
#[expect(clippy::print_stderr, reason = "progress for the person who waits")]
pub(crate) fn run(prefix: &str, plan: Plan) -> Result<(Vec<Figure>, Vec<Failure>)> {
    let chosen: Vec<_> = ROWS.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    let names: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
    ensure!(!chosen.is_empty(), "no row's name begins with {prefix:?}; the rows are {}", names.join(", "));
    let (mut figures, mut failures) = (Vec::new(), Vec::new());
    for (row, run) in chosen {
        eprintln!("{row} …");
        match run(plan) {
            Ok(measured) => figures.extend(measured),
            Err(error) => {
                let reason = format!("{error:#}");
                eprintln!("{row}: {reason}");
                failures.push(Failure { row, reason });
            }
        }
    }
    Ok((figures, failures))
}
