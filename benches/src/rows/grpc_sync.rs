//! grpc_sync: synchronous calls over gRPC, each on a new instance. The first control
//! is a bare tonic server that answers the same message. The second also makes the
//! call on bare wasmtime, which shows how much of the difference wasmtime causes.
//!
//! A round has thousands of calls.

use crate::client::load::{Loop, Measured};
use crate::client::wire::{Function, connect, invoke};
use crate::controls::echo::Inside;
use crate::guests::{COMPONENT, source};
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::{at_least, at_most};
use crate::server::Server;
use anyhow::Result;
use pilum_proto::spearlet::InvokeFunctionRequest;
use std::time::Duration;

/// Calls in flight in the measurements under load.
const LOADED: usize = 32;
/// Load before the first round.
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let control = Server::control_echo(Inside::Nothing)?;
        let mut client = connect(&host.grpc).await?;
        let mut figures = Vec::new();
        for (kind, function, inside) in [
            ("core", Function::add()?, Inside::Core),
            ("component", Function::fibonacci(source(COMPONENT)?), Inside::Component),
        ] {
            let request = function.registered(&mut client, kind).await?;
            let floor = Server::control_echo(inside)?;
            for in_flight in [1, LOADED] {
                let beside = async |server: &Server| rounds(plan, &host, server, in_flight, &request).await;
                figures.extend(figures_of(kind, in_flight, &beside(&control).await?));
                figures.push(floor_of(kind, in_flight, &beside(&floor).await?));
            }
        }
        Ok(figures)
    })
}

/// Measures the host and another server under the same load, in turn.
async fn rounds(
    plan: Plan,
    host: &Server,
    other: &Server,
    in_flight: usize,
    request: &InvokeFunctionRequest,
) -> Result<Vec<(Measured, Measured)>> {
    let ours = Loop::connect(&host.grpc, in_flight).await?;
    let bare = Loop::connect(&other.grpc, in_flight).await?;
    let load = async |side: &Loop, duration| {
        side.run(duration, async |client, _| invoke(client, request).await.map(drop)).await
    };
    load(&ours, WARM_UP).await?;
    load(&bare, WARM_UP).await?;
    let duration = Duration::from_secs_f64(plan.seconds);
    alternate(plan, async || load(&ours, duration).await, async || load(&bare, duration).await).await
}

/// The figure beside a server that makes the same call on bare wasmtime and does
/// nothing else.
fn floor_of(kind: &str, in_flight: usize, rounds: &[(Measured, Measured)]) -> Figure {
    let name = |what| format!("grpc_sync {kind}, {in_flight} in flight, {what}, beside tonic with wasmtime");
    if in_flight == 1 {
        let p50: Vec<_> = rounds.iter().map(|(a, b)| (a.p50_us, b.p50_us)).collect();
        return Figure::beside(name("p50"), "µs", &[], &p50);
    }
    let throughput: Vec<_> = rounds.iter().map(|(a, b)| (a.calls_per_s, b.calls_per_s)).collect();
    Figure::beside(name("throughput"), "calls/s", &[], &throughput)
}

fn figures_of(kind: &str, in_flight: usize, rounds: &[(Measured, Measured)]) -> Vec<Figure> {
    let pairs =
        |pick: fn(&Measured) -> f64| rounds.iter().map(|(a, b)| (pick(a), pick(b))).collect::<Vec<_>>();
    let name = |what: &str| format!("grpc_sync {kind}, {in_flight} in flight, {what}");
    let (p50, p99) = (pairs(|m| m.p50_us), pairs(|m| m.p99_us));
    if in_flight == 1 {
        return vec![Figure::beside(name("p50"), "µs", &[at_most(1.25)], &p50)];
    }
    let throughput = pairs(|m| m.calls_per_s);
    vec![
        Figure::beside(name("throughput"), "calls/s", &[at_least(0.85)], &throughput),
        Figure::beside(name("p99"), "µs", &[at_most(1.5)], &p99),
    ]
}
