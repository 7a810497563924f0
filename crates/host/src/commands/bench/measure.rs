//! What every way of measuring needs: samples by way, and calls over gRPC.

use super::stats::{Parts, Samples};
use anyhow::Result;
use futures::future::try_join_all;
use pilum_client::{Call, Client, Status};
use std::time::{Duration, Instant};

/// Calls before the first one that counts: they fill caches and open connections.
pub(super) const WARM_UP_CALLS: usize = 20;

/// One way of calling, measured.
pub(super) struct Way {
    /// The name in the table.
    pub(super) name: &'static str,
    /// How long its calls took.
    pub(super) samples: Samples,
    /// The parts of that time; `None` for wasmtime alone, which reports none.
    pub(super) parts: Option<Parts>,
}

/// The function failed, so there is nothing to measure. This is no error of the host.
pub(super) struct GuestFailed(pub(super) String);

/// The outer error is one of the host or of the command.
pub(super) type Measured<T> = Result<Result<T, GuestFailed>>;

impl Way {
    /// No calls yet. `has_parts` says whether this way reports the parts of a call's time.
    pub(super) fn new(name: &'static str, has_parts: bool) -> Self {
        Self { name, samples: Samples::default(), parts: has_parts.then(Parts::default) }
    }

    /// Adds one call.
    pub(super) fn add(&mut self, took: Duration, parts: Option<Parts>) {
        self.samples.add(took);
        if let (Some(sum), Some(parts)) = (&mut self.parts, parts) {
            sum.add(parts);
        }
    }
}

/// Calls over gRPC for `duration`, with `in_flight` calls at once.
pub(super) async fn measure_grpc(
    client: &Client,
    call: &Call,
    in_flight: u32,
    duration: Duration,
    way: &mut Way,
) -> Measured<()> {
    let began = Instant::now();
    let caller = async || -> Measured<Vec<(Duration, Parts)>> {
        let mut taken = Vec::new();
        while began.elapsed() < duration {
            let sent = Instant::now();
            match grpc_call(client, call).await? {
                Ok(parts) => taken.push((sent.elapsed(), parts)),
                Err(failed) => return Ok(Err(failed)),
            }
        }
        Ok(Ok(taken))
    };
    for caller in try_join_all((0..in_flight).map(|_| caller())).await? {
        match caller {
            Ok(taken) => taken.into_iter().for_each(|(took, parts)| way.add(took, Some(parts))),
            Err(failed) => return Ok(Err(failed)),
        }
    }
    way.samples.ran_for(began.elapsed());
    Ok(Ok(()))
}

/// Makes one call over gRPC.
pub(super) async fn grpc_call(client: &Client, call: &Call) -> Measured<Parts> {
    let invoked = client.invoke(call.clone()).await?;
    Ok(if invoked.success {
        Ok(Parts::of_status(&invoked.status))
    } else {
        Err(GuestFailed(failure_of(&invoked.status)))
    })
}

fn failure_of(status: &Status) -> String {
    format!("{}: {}", status.error_code.as_deref().unwrap_or_default(), status.error_message)
}
