//! http_handler: calls of a small component over HTTP, each on a new instance. The
//! control is `wasmtime serve` with the same component.

use crate::client::http::Connection;
use crate::client::load::{Measured, closed_loop};
use crate::client::tasks::deploy;
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::at_least;
use crate::server::Server;
use anyhow::Result;
use pilum_client::Client;
use pilum_types::Policy;
use std::time::Duration;

/// The handler, and the body of its answers.
const GUEST: &str = "bench_http.wasm";
const ANSWER: &[u8] = b"hello, world\n";
/// Load before the first round.
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let control = Server::wasmtime_serve(GUEST).await?;
        deploy(&Client::connect(&host.grpc).await?, "hello", GUEST, Policy::default()).await?;
        let duration = Duration::from_secs_f64(plan.seconds);
        let mut figures = Vec::new();
        for in_flight in [1, 32] {
            let ours = async |duration| load(&host.http, "/fn/hello/", in_flight, duration).await;
            let theirs = async |duration| load(&control.http, "/", in_flight, duration).await;
            ours(WARM_UP).await?;
            theirs(WARM_UP).await?;
            let rounds =
                alternate(plan, async || ours(duration).await, async || theirs(duration).await).await?;
            let name = |what: &str| format!("http_handler, {in_flight} in flight, {what}");
            let pairs = |pick: fn(&Measured) -> f64| {
                rounds.iter().map(|(a, b)| (pick(a), pick(b))).collect::<Vec<_>>()
            };
            figures.push(Figure::beside(
                name("throughput"),
                "calls/s",
                &[at_least(1.0)],
                &pairs(|m| m.calls_per_s),
            ));
            figures.push(Figure::beside(name("p99"), "µs", &[], &pairs(|m| m.p99_us)));
        }
        Ok(figures)
    })
}

/// Load over `in_flight` connections.
async fn load(address: &str, path: &str, in_flight: usize, duration: Duration) -> Result<Measured> {
    let mut connections = Vec::new();
    for _ in 0..in_flight {
        connections.push(Connection::to(address, path).await?);
    }
    closed_loop(&mut connections, duration, async |connection, _| connection.get(ANSWER).await).await
}
