//! Load on a server: closed loops, in which each client sends its next call when the
//! one before is answered, and single callers at a steady rate. The same clients put
//! load on the host and on its control.

use crate::client::wire::{Client, connect};
use crate::measure::percentile;
use anyhow::Result;
use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Calls in flight that share one connection, as in a client's connection pool.
const CALLS_PER_CONNECTION: usize = 16;
/// The shortest time between two calls of a [`paced`] caller.
const PACE: Duration = Duration::from_millis(2);

/// What a closed loop measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Clients of one server, one for each call in flight.
pub(crate) struct Loop {
    clients: Vec<Client>,
}

impl Loop {
    pub(crate) async fn connect(address: &str, in_flight: usize) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..in_flight.div_ceil(CALLS_PER_CONNECTION) {
            clients.extend(std::iter::repeat_n(connect(address).await?, CALLS_PER_CONNECTION));
        }
        clients.truncate(in_flight);
        Ok(Self { clients })
    }

    /// Runs a closed loop of these clients; see [`closed_loop`].
    pub(crate) async fn run(
        &self,
        duration: Duration,
        call: impl AsyncFn(&mut Client, usize) -> Result<()>,
    ) -> Result<Measured> {
        closed_loop(&mut self.clients.clone(), duration, call).await
    }

    /// Makes a call for each number; returns the answers in any order.
    pub(crate) async fn each<T>(
        &self,
        numbers: Range<usize>,
        call: impl AsyncFn(&mut Client, usize) -> Result<T>,
    ) -> Result<Vec<T>> {
        let next = Cell::new(numbers.start);
        let loops = self.clients.iter().map(async |client| {
            let mut client = client.clone();
            let mut answers = Vec::new();
            while next.get() < numbers.end {
                let number = next.replace(next.get() + 1);
                answers.push(call(&mut client, number).await?);
            }
            anyhow::Ok(answers)
        });
        Ok(futures::future::try_join_all(loops).await?.into_iter().flatten().collect())
    }
}

/// Has each client make one call after the other for `duration`. Each call gets its
/// own number, counted from 0. A call that fails ends the measurement with its error.
pub(crate) async fn closed_loop<C>(
    clients: &mut [C],
    duration: Duration,
    call: impl AsyncFn(&mut C, usize) -> Result<()>,
) -> Result<Measured> {
    let numbers = Cell::new(0);
    let began = Instant::now();
    let end = began + duration;
    let loops = clients.iter_mut().map(async |client| {
        let mut latencies = Vec::with_capacity(1 << 16);
        while Instant::now() < end {
            let number = numbers.replace(numbers.get() + 1);
            let sent = Instant::now();
            call(client, number).await?;
            latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = futures::future::try_join_all(loops).await?.concat();
    let elapsed = began.elapsed().as_secs_f64();
    Ok(Measured {
        calls_per_s: latencies.len() as f64 / elapsed,
        p50_us: percentile(&mut latencies, 0.5),
        p99_us: percentile(&mut latencies, 0.99),
    })
}

/// Makes one call after the other, at most one every [`PACE`], until `work` is done.
/// Returns the latencies in µs and the result of `work`.
///
/// The latency of a call counts from the moment it is sent. So a slow call does not
/// add to the latency of the call after it.
pub(crate) async fn paced<T>(
    mut call: impl AsyncFnMut() -> Result<()>,
    work: impl Future<Output = Result<T>>,
) -> Result<(Vec<f64>, T)> {
    let is_over = Cell::new(false);
    let calls = async {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut latencies = Vec::new();
        while !is_over.get() {
            pace.tick().await;
            let sent = Instant::now();
            call().await?;
            latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        anyhow::Ok(latencies)
    };
    let work = async {
        let done = work.await;
        is_over.set(true);
        done
    };
    futures::future::try_join(calls, work).await
}
