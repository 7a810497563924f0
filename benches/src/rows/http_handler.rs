//! http_handler: a hello component over HTTP, a fresh instance each, against
//! `wasmtime serve` with the same component.

use crate::guests;
use crate::http::Connection;
use crate::load::Measured;
use crate::measure::{Figure, Plan, alternate, percentile};
use crate::server::Server;
use crate::target::at_least;
use anyhow::Result;
use pilum_client::{Client, Deployment};
use pilum_types::{Policy, TaskName};
use std::time::{Duration, Instant};

/// The handler, and what it answers.
const GUEST: &str = "bench_http.wasm";
const ANSWER: &[u8] = b"hello, world\n";
/// Load before the first round.
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let host = Server::host()?;
        let control = Server::wasmtime_serve(GUEST).await?;
        deploy(&host).await?;
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

async fn deploy(host: &Server) -> Result<()> {
    let client = Client::connect(&host.grpc).await?;
    let deployment = Deployment {
        name: TaskName::parse("hello")?,
        description: String::new(),
        source: client.upload(guests::bytes(GUEST)?.into(), |_| {}).await?,
        version: String::new(),
        policy: Policy::default(),
    };
    client.deploy(deployment).await?;
    Ok(())
}

/// So many connections that ask again and again.
async fn load(address: &str, path: &str, in_flight: usize, duration: Duration) -> Result<Measured> {
    let mut connections = Vec::new();
    for _ in 0..in_flight {
        connections.push(Connection::to(address, path).await?);
    }
    let began = Instant::now();
    let end = began + duration;
    let loops = connections.iter_mut().map(async |connection| {
        let mut latencies = Vec::with_capacity(1 << 14);
        while Instant::now() < end {
            let sent = Instant::now();
            connection.get(ANSWER).await?;
            latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = futures::future::try_join_all(loops).await?.concat();
    Ok(Measured {
        calls_per_s: latencies.len() as f64 / began.elapsed().as_secs_f64(),
        p50_us: percentile(&mut latencies, 0.5),
        p99_us: percentile(&mut latencies, 0.99),
    })
}
