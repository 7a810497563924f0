//! invoke: the two calls of grpc_sync in process, through `pilum-execution`. The
//! control is bare wasmtime.

use crate::controls::checked;
use crate::controls::wasmtime::{ComponentFibonacci, CoreAdd};
use crate::guests::{COMPONENT, CORE, bytes, source};
use crate::in_process::{ADD, FIBONACCI, InProcess};
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::{at_most, at_most_added};
use anyhow::{Result, ensure};
use std::time::Instant;

/// Calls in a batch, which is timed as a whole.
const BATCH: u32 = 20_000;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let data = tempfile::tempdir()?;
        let host = InProcess::start(data.path(), None)?;
        let core = host.register("core", source(CORE)?, ADD).await?;
        let component = host.register("component", source(COMPONENT)?, FIBONACCI).await?;
        let bare_core = checked(CoreAdd::new(&bytes(CORE)?))?;
        let bare_component = checked(ComponentFibonacci::new(&bytes(COMPONENT)?))?;
        ensure!(checked(bare_core.call().await)? == 42, "the core control returned a wrong number");
        ensure!(checked(bare_component.call().await)? == 55, "the component control returned a wrong number");
        let core = alternate(
            plan,
            async || timed(async || host.call(&core, ADD).await).await,
            async || timed(async || checked(bare_core.call().await).map(drop)).await,
        )
        .await?;
        let component = alternate(
            plan,
            async || timed(async || host.call(&component, FIBONACCI).await).await,
            async || timed(async || checked(bare_component.call().await).map(drop)).await,
        )
        .await?;
        Ok(vec![
            Figure::beside("invoke core", "µs", &[at_most(2.0), at_most_added(5.0)], &core),
            Figure::beside("invoke component", "µs", &[at_most(1.5)], &component),
        ])
    })
}

/// Microseconds per call, over one batch.
async fn timed(mut call: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..BATCH {
        call().await?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH))
}
