//! The rows of the table, each with its control.

mod async_accept;
mod cancel;
mod cold_host;
mod cold_task;
mod compile_storm;
mod density;
mod fairness;
mod first_compile;
mod grpc_sync;
mod http_handler;
mod invoke;
mod many_tasks;
mod metering;
mod shelf;
pub(crate) mod status_read;
mod stream;

use crate::measure::{Figure, Plan};
use crate::report::Failure;
use anyhow::{Result, ensure};

/// One row: a name and what measures it.
type Row = (&'static str, fn(Plan) -> Result<Vec<Figure>>);

const ROWS: &[Row] = &[
    ("grpc_sync", grpc_sync::run),
    ("invoke", invoke::run),
    ("http_handler", http_handler::run),
    ("stream", stream::run),
    ("shelf", shelf::run),
    ("many_tasks", many_tasks::run),
    ("status_read", status_read::run),
    ("async_accept", async_accept::run),
    ("cold_task", cold_task::run),
    ("cold_host", cold_host::run),
    ("first_compile", first_compile::run),
    ("compile_storm", compile_storm::run),
    ("fairness", fairness::run),
    ("cancel", cancel::run),
    ("density", density::run),
    ("metering", metering::run),
];

/// Runs the rows whose names begin with `prefix`. One that fails does not keep
/// the others from being measured.
#[expect(clippy::print_stderr, reason = "progress, for the person who waits")]
pub(crate) fn run(prefix: &str, plan: Plan) -> Result<(Vec<Figure>, Vec<Failure>)> {
    let chosen: Vec<_> = ROWS.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    let names: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
    ensure!(!chosen.is_empty(), "no row is called {prefix:?}; there are {}", names.join(", "));
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

/// Runs `work` on a runtime of its own, as each measurement does.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
