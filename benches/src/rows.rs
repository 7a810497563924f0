//! The rows of the table, each with its control.

mod grpc_sync;
mod invoke;

use crate::measure::{Figure, Plan};
use anyhow::{Result, ensure};

/// One row: a name and what measures it.
type Row = (&'static str, fn(Plan) -> Result<Vec<Figure>>);

const ROWS: &[Row] = &[("grpc_sync", grpc_sync::run), ("invoke", invoke::run)];

/// Runs the rows whose names begin with `prefix`.
#[expect(clippy::print_stderr, reason = "progress, for the person who waits")]
pub(crate) fn run(prefix: &str, plan: Plan) -> Result<Vec<Figure>> {
    let chosen: Vec<_> = ROWS.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    let names: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
    ensure!(!chosen.is_empty(), "no row is called {prefix:?}; there are {}", names.join(", "));
    let mut figures = Vec::new();
    for (name, run) in chosen {
        eprintln!("{name} …");
        figures.extend(run(plan)?);
    }
    Ok(figures)
}
