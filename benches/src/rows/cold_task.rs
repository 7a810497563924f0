//! cold_task: the first call of a task whose native code is on disk and not in
//! memory, in process, against bare wasmtime that maps the file.
//!
//! The task and its native code are those that the host before has left.

use crate::controls::checked;
use crate::controls::cold::Cold;
use crate::guests::{self, COMPONENT, file_source};
use crate::in_process::{FIBONACCI, InProcess};
use crate::measure::{Figure, Plan, alternate, median};
use crate::target::at_most;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// First calls in a round, each of a new host; the median counts.
const PER_ROUND: usize = 5;
/// What a start leaves to be done by itself is over after this; calls come later.
const STARTED: Duration = Duration::from_millis(20);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let rust = row(plan, "60 KB of Rust", &guests::folder()?.join(COMPONENT))?;
    let python = guests::python().and_then(|file| row(plan, "18 MB of Python", &file));
    Ok(std::iter::once(rust).chain(told(python)).collect())
}

/// Python needs PyPI once: without it that figure is left out.
#[expect(clippy::print_stderr, reason = "a figure that is missing is said, not hidden")]
fn told(figure: Result<Figure>) -> Option<Figure> {
    figure.inspect_err(|error| eprintln!("cold_task leaves Python out: {error:#}")).ok()
}

fn row(plan: Plan, what: &str, wasm: &Path) -> Result<Figure> {
    super::block_on(async {
        let data = tempfile::tempdir()?;
        // Compiles, and leaves the native code behind.
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
    let folder = wasm.parent().context("a file is in a folder")?;
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
    ensure!(checked(bare.first_call(native).await)? == 55, "the control computes");
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
