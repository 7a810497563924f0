//! cold_task: the first call of a task whose native code is on disk and not in
//! memory, in process. The control is bare wasmtime, which maps the file.
//!
//! An earlier host registered the task and compiled its native code.

use crate::controls::checked;
use crate::controls::cold::Cold;
use crate::guests::{self, COMPONENT, file_source};
use crate::in_process::{FIBONACCI, InProcess};
use crate::measure::{Figure, Plan, alternate, block_on, median};
use crate::results::target::at_most;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// First calls in a round, each on a new host; the round's value is their median.
const PER_ROUND: usize = 5;
/// After this time the background work of a start is over.
const STARTED: Duration = Duration::from_millis(20);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let rust = row(plan, "60 KB of Rust", &guests::folder()?.join(COMPONENT))?;
    let python = guests::python().and_then(|file| row(plan, "18 MB of Python", &file));
    Ok(std::iter::once(rust).chain(measured_or_reported(python)).collect())
}

/// The first build of the Python guest needs PyPI; without it that figure is left out.
#[expect(clippy::print_stderr, reason = "tells the person who waits that a figure is missing")]
fn measured_or_reported(figure: Result<Figure>) -> Option<Figure> {
    figure.inspect_err(|error| eprintln!("cold_task leaves Python out: {error:#}")).ok()
}

fn row(plan: Plan, what: &str, wasm: &Path) -> Result<Figure> {
    block_on(async {
        let data = tempfile::tempdir()?;
        // This call compiles, and its native code stays on disk.
        host_first_call_ms(data.path(), wasm).await?;
        let native = data.path().join("control.native");
        std::fs::write(&native, checked(Cold::precompile(&std::fs::read(wasm)?))?)?;
        let rounds = alternate(
            plan,
            async || {
                let mut calls = Vec::new();
                for _ in 0..PER_ROUND {
                    calls.push(host_first_call_ms(data.path(), wasm).await?);
                }
                Ok(median(&mut calls))
            },
            async || {
                let mut calls = Vec::new();
                for _ in 0..PER_ROUND {
                    calls.push(bare_first_call_ms(&native).await?);
                }
                Ok(median(&mut calls))
            },
        );
        Ok(Figure::beside(format!("cold_task {what}"), "ms", &[at_most(1.5)], &rounds.await?))
    })
}

async fn host_first_call_ms(data: &Path, wasm: &Path) -> Result<f64> {
    let folder = wasm.parent().context("the file has no folder")?;
    let host = InProcess::start(data, Some(folder.to_owned()))?;
    let source = file_source(wasm)?;
    tokio::time::sleep(STARTED).await;
    let began = Instant::now();
    host.register("cold", source, FIBONACCI).await?;
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    host.end().await;
    Ok(took_ms)
}

async fn bare_first_call_ms(native: &Path) -> Result<f64> {
    let bare = checked(Cold::start())?;
    tokio::time::sleep(STARTED).await;
    let began = Instant::now();
    ensure!(checked(bare.first_call(native).await)? == 55, "the control returned a wrong number");
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
