//! The host's counters as messages.

use super::numbers::{count, long};
use crate::process::ProcessUsage;
use pilum_execution::{Settings, Stats};
use pilum_proto::spearlet::{ExecutionStats, HealthDetails, ServiceStats};
use std::collections::BTreeMap;

/// The counters that GetHealth shows.
pub(crate) fn health_details(stats: &Stats, usage: &ProcessUsage, settings: &Settings) -> HealthDetails {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    HealthDetails {
        active_tasks: count(stats.tasks),
        running_executions: count(stats.running),
        pending_executions: count(stats.pending),
        total_memory_used: long(usage.resident_bytes),
        total_executions: long(total(stats)),
        system_info: [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("os", std::env::consts::OS.to_owned()),
            ("arch", std::env::consts::ARCH.to_owned()),
            ("cpus", cpus.to_string()),
            ("sync_slots_in_use", stats.sync_slots_in_use.to_string()),
            ("sync_slots", settings.sync.max_concurrent_requests.to_string()),
            ("queue_capacity", settings.asynchronous.max_queue_size.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    }
}

/// The counters of the host that GetStats shows.
pub(crate) fn service_stats(stats: &Stats, usage: &ProcessUsage) -> ServiceStats {
    ServiceStats {
        uptime_seconds: long(stats.uptime.as_secs()),
        total_tasks: count(stats.tasks),
        total_executions: count(total(stats)),
        total_memory_used: long(usage.resident_bytes),
        cpu_usage_percent: usage.cpu_percent,
        memory_usage_percent: usage.memory_percent,
    }
}

/// The counters of executions that GetStats shows.
pub(crate) fn execution_stats(stats: &Stats, by_function: Vec<(String, u64)>) -> ExecutionStats {
    let ended = ended(stats);
    // Without an execution the average is 0: a division by zero would be NaN on the wire.
    let per_ended = |sum: f64| if ended == 0 { 0.0 } else { sum / ended as f64 };
    let by_function: BTreeMap<_, _> =
        by_function.into_iter().map(|(function, calls)| (function, count(calls))).collect();
    ExecutionStats {
        running_executions: count(stats.running),
        pending_executions: count(stats.pending),
        completed_executions: count(stats.completed),
        failed_executions: count(stats.failed.saturating_add(stats.timed_out)),
        average_execution_time_ms: per_ended(stats.guest_time.as_secs_f64() * 1e3),
        success_rate_percent: per_ended(stats.completed as f64 * 100.0),
        executions_by_function: by_function,
    }
}

fn ended(stats: &Stats) -> u64 {
    stats.completed + stats.failed + stats.cancelled + stats.timed_out
}

fn total(stats: &Stats) -> u64 {
    ended(stats) + stats.running + stats.pending
}
