//! first_compile: a call that registers a component which the host has never
//! compiled. The control is Cranelift alone with the same bytes and the same settings,
//! in this process.

use crate::client::wire::{Client, Function, connect, invoke};
use crate::controls::{checked, engine};
use crate::guests::{COMPONENT, LARGE_COMPONENT, Variants};
use crate::measure::{Figure, Plan, block_on, median};
use crate::results::target::Bound;
use crate::server::{Server, Setup};
use anyhow::Result;
use pilum_proto::spearlet::ExecutionMode;
use pilum_types::ArtifactSource;
use std::time::Instant;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Components in a round, each a new one; the round's value is their median.
const PER_ROUND: usize = 3;
/// The milliseconds on top are for starting a child process and for its answer.
const TARGET: &[Bound] = &[Bound::AtMost { times: 1.2, plus: 30.0 }];

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let small = row(plan, "60 KB", COMPONENT, Function::fibonacci)?;
    let large = row(plan, "201 KB", LARGE_COMPONENT, Function::keywords)?;
    Ok(vec![small, large])
}

fn row(plan: Plan, size: &str, guest: &str, function: fn(ArtifactSource) -> Function) -> Result<Figure> {
    block_on(async {
        let mut variants = Variants::of(guest)?;
        let host = Server::host_with(&Setup { root: Some(variants.root()), ..Setup::default() })?;
        let mut client = connect(&host.grpc).await?;
        let bare = checked(engine::like_the_host())?;
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            let (mut ours, mut control) = (Vec::new(), Vec::new());
            for number in 0..PER_ROUND {
                let (source, wasm) = variants.next()?;
                let task = format!("new-{round}-{number}");
                ours.push(registered_ms(&mut client, &function(source), &task).await?);
                control.push(compiled_ms(&bare, &wasm)?);
            }
            rounds.push((median(&mut ours), median(&mut control)));
        }
        Ok(Figure::beside(format!("first_compile {size}"), "ms", TARGET, &rounds))
    })
}

async fn registered_ms(client: &mut Client, function: &Function, task: &str) -> Result<f64> {
    let request = function.new_task(task, ExecutionMode::Sync);
    let began = Instant::now();
    invoke(client, &request).await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn compiled_ms(engine: &Engine, wasm: &[u8]) -> Result<f64> {
    let began = Instant::now();
    checked(Component::new(engine, wasm))?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
