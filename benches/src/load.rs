//! A closed loop of gRPC calls: so many in flight, each followed by the next.
//! The same client drives the host and its control.

use crate::measure::percentile;
use anyhow::{Context, Result};
use pilum_proto::spearlet::InvokeFunctionRequest;
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// Calls in flight that share one connection, as a client's pool would have it.
const CALLS_PER_CONNECTION: usize = 16;

/// What a loop measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Connections to one server, ready to be loaded.
pub(crate) struct Loop {
    clients: Vec<FunctionServiceClient<Channel>>,
}

impl Loop {
    pub(crate) async fn connect(address: &str, in_flight: usize) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..in_flight.div_ceil(CALLS_PER_CONNECTION) {
            let channel =
                Channel::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await;
            let channel = channel.with_context(|| format!("no server at {address}"))?;
            let shared = FunctionServiceClient::new(channel);
            clients.extend(std::iter::repeat_n(shared, CALLS_PER_CONNECTION));
        }
        clients.truncate(in_flight);
        Ok(Self { clients })
    }

    /// Sends `request` again and again for `duration`. Any answer other than a
    /// success fails the measurement.
    pub(crate) async fn run(&self, request: &InvokeFunctionRequest, duration: Duration) -> Result<Measured> {
        let began = Instant::now();
        let end = began + duration;
        let loops = self.clients.iter().map(async |client| {
            let mut client = client.clone();
            let mut latencies = Vec::with_capacity(1 << 16);
            while Instant::now() < end {
                let sent = Instant::now();
                let answer = client.invoke_function(request.clone()).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1e6);
                anyhow::ensure!(answer.get_ref().success, "{:?}", answer.get_ref());
            }
            Ok(latencies)
        });
        let mut latencies = futures::future::try_join_all(loops).await?.concat();
        let elapsed = began.elapsed().as_secs_f64();
        Ok(Measured {
            calls_per_s: latencies.len() as f64 / elapsed,
            p50_us: percentile(&mut latencies, 0.5),
            p99_us: percentile(&mut latencies, 0.99),
        })
    }
}
