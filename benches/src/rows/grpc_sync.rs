//! grpc_sync: synchronous calls over gRPC, a fresh instance each, against a
//! bare tonic server that answers the same message.
//!
//! Every percentile is over thousands of calls a round.

use crate::guests::{COMPONENT, source};
use crate::load::{Loop, Measured};
use crate::measure::{Figure, Plan, alternate};
use crate::server::Server;
use crate::target::{at_least, at_most};
use crate::wire::{Function, connect, invoke};
use anyhow::Result;
use std::time::Duration;

/// Calls in flight of the loaded half.
const LOADED: usize = 32;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let host = Server::host()?;
        let control = Server::control_echo()?;
        let mut client = connect(&host.grpc).await?;
        let mut figures = Vec::new();
        for (kind, function) in
            [("core", Function::add()?), ("component", Function::fibonacci(source(COMPONENT)?))]
        {
            let request = function.registered(&mut client, kind).await?;
            for in_flight in [1, LOADED] {
                let ours = Loop::connect(&host.grpc, in_flight).await?;
                let bare = Loop::connect(&control.grpc, in_flight).await?;
                let load = async |side: &Loop, duration| {
                    side.run(duration, async |client, _| invoke(client, &request).await.map(drop)).await
                };
                let warm_up = Duration::from_millis(300);
                load(&ours, warm_up).await?;
                load(&bare, warm_up).await?;
                let duration = Duration::from_secs_f64(plan.seconds);
                let rounds = alternate(
                    plan,
                    async || load(&ours, duration).await,
                    async || load(&bare, duration).await,
                );
                figures.extend(figures_of(kind, in_flight, &rounds.await?));
            }
        }
        Ok(figures)
    })
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
