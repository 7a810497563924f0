//! GetHealth: whether the host can take work.

use crate::process;
use crate::reply;
use pilum_execution::{Executions, Runtime, Stats, Store};
use pilum_proto::spearlet::{GetHealthRequest, GetHealthResponse};

/// GetHealth. It has no errors: a host whose executions cannot be counted answers
/// `unhealthy`.
pub(super) async fn health<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    request: GetHealthRequest,
) -> GetHealthResponse {
    let stats = match executions.query().stats().await {
        Ok(stats) => stats,
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            return GetHealthResponse {
                status: "unhealthy".to_owned(),
                message: "executions cannot be read".to_owned(),
                ..GetHealthResponse::default()
            };
        }
    };
    let settings = executions.settings();
    let (status, message) = status_and_message(executions, &stats);
    let details = || reply::health_details(&stats, &process::measure(), settings);
    GetHealthResponse {
        status: status.to_owned(),
        message: message.to_owned(),
        uptime_seconds: stats.uptime.as_secs().try_into().unwrap_or(i64::MAX),
        details: request.include_details.then(details),
    }
}

fn status_and_message<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    stats: &Stats,
) -> (&'static str, &'static str) {
    let settings = executions.settings();
    let at_bound = |now: u64, max: usize| usize::try_from(now).is_ok_and(|now| now >= max);
    if executions.is_draining() {
        ("degraded", "the host is shutting down and takes no new work")
    } else if at_bound(stats.pending, settings.asynchronous.max_queue_size) {
        ("degraded", "the queue of asynchronous executions is full")
    } else if stats.store.bytes >= stats.store.max_bytes && stats.store.max_bytes > 0 {
        ("degraded", "the stored asynchronous executions have reached their bound in bytes")
    } else if at_bound(stats.sync_slots_in_use, settings.sync.max_concurrent_requests) {
        ("degraded", "all slots for synchronous calls are taken")
    } else {
        ("healthy", "")
    }
}
