//! invoke: the same two calls in process, through `execution`, against bare wasmtime.

use crate::controls::wasmtime::{ComponentFibonacci, CoreAdd};
use crate::host::{InProcess, guest};
use crate::measure::{Figure, Plan, Target};
use anyhow::{Result, ensure};
use std::time::Instant;

/// Calls in a batch; a batch is timed as a whole.
const BATCH: u32 = 20_000;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let core_wasm = guest("calculate-fibonacci.core.wasm")?;
        let component_wasm = guest("calculate-fibonacci.wasm")?;
        let host = InProcess::start()?;
        let core = host.register("core", "calculate-fibonacci.core.wasm").await?;
        let component = host.register("component", "calculate-fibonacci.wasm").await?;
        let bare_core = wasm(CoreAdd::new(&core_wasm))?;
        let bare_component = wasm(ComponentFibonacci::new(&component_wasm))?;
        ensure!(
            wasm(bare_core.call().await)? == 42 && wasm(bare_component.call().await)? == 55,
            "the controls compute"
        );

        let mut core_pairs = Vec::new();
        let mut component_pairs = Vec::new();
        for _ in 0..plan.rounds {
            let ours = timed(async || host.add(&core).await).await?;
            let control = timed(async || wasm(bare_core.call().await).map(drop)).await?;
            core_pairs.push((ours, control));
            let ours = timed(async || host.fibonacci(&component).await).await?;
            let control = timed(async || wasm(bare_component.call().await).map(drop)).await?;
            component_pairs.push((ours, control));
        }
        let added: Vec<_> = core_pairs.iter().map(|(ours, control)| (ours - control, 1.0)).collect();
        Ok(vec![
            Figure::new("invoke core", "µs/call", Target::AtMost(2.0), &core_pairs),
            Figure::new("invoke core, added", "µs/call", Target::AtMost(5.0), &added),
            Figure::new("invoke component", "µs/call", Target::AtMost(1.5), &component_pairs),
        ])
    })
}

/// Microseconds a call, over one batch.
async fn timed(mut call: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..BATCH {
        call().await?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH))
}

fn wasm<T>(result: wasmtime::Result<T>) -> Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error:#}"))
}
