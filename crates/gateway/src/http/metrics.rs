//! The host's counters as Prometheus (OpenMetrics) text.

use crate::process::ProcessUsage;
use pilum_execution::{Stats, StoreStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

/// The media type of [`encode`]'s text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters at one moment.
#[derive(Debug)]
struct Snapshot {
    stats: Stats,
    usage: ProcessUsage,
}

/// The counters at one moment as text. The execution layer keeps the counters, so a new
/// registry is made for each scrape and holds only that moment.
pub(crate) fn encode(stats: Stats, usage: ProcessUsage) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot { stats, usage }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = &self.stats;
        executions(stats, &mut encoder)?;
        gauge(&mut encoder, "pilum_executions_running", "Executions under way", stats.running)?;
        gauge(&mut encoder, "pilum_executions_pending", "Accepted executions that wait", stats.pending)?;
        store(&stats.store, &mut encoder)?;
        gauge(&mut encoder, "pilum_tasks", "Registered tasks", stats.tasks)?;
        gauge(&mut encoder, "pilum_sync_slots_in_use", "Synchronous slots taken", stats.sync_slots_in_use)?;
        let refused = ConstCounter::new(stats.refused);
        let help = "Requests refused before they became an execution";
        refused.encode(encoder.encode_descriptor("pilum_refused", help, None, MetricType::Counter)?)?;
        let guest = ConstCounter::new(stats.guest_time.as_secs_f64());
        let (help, unit) = ("Time inside guests of all attempts that ended", Some(&Unit::Seconds));
        guest.encode(encoder.encode_descriptor("pilum_guest", help, unit, MetricType::Counter)?)?;
        let uptime = ConstGauge::new(stats.uptime.as_secs_f64());
        let help = "How long the host has run";
        uptime.encode(encoder.encode_descriptor("pilum_uptime", help, unit, MetricType::Gauge)?)?;
        let resident = ConstGauge::new(self.usage.resident_bytes as f64);
        let (help, unit) = ("Resident memory of the process", Some(&Unit::Bytes));
        resident.encode(encoder.encode_descriptor(
            "process_resident_memory",
            help,
            unit,
            MetricType::Gauge,
        )?)
    }
}

fn executions(stats: &Stats, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Executions that ended, by the state they ended in";
    let mut family = encoder.encode_descriptor("pilum_executions", help, None, MetricType::Counter)?;
    for (state, ended) in [
        ("completed", stats.completed),
        ("failed", stats.failed),
        ("cancelled", stats.cancelled),
        ("timeout", stats.timed_out),
    ] {
        ConstCounter::new(ended).encode(family.encode_family(&[("state", state)])?)?;
    }
    Ok(())
}

fn store(stats: &StoreStats, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let of_size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    let help = "Executions that failed for good and wait to be redriven or discarded";
    gauge(encoder, "pilum_dead_letters", help, of_size(stats.dead_letters))?;
    let help = "Callbacks that are not delivered yet";
    gauge(encoder, "pilum_callbacks_pending", help, of_size(stats.callbacks))?;
    let bytes = Some(&Unit::Bytes);
    for (name, help, now) in [
        ("pilum_store", "What is kept of asynchronous executions", stats.bytes),
        ("pilum_store_max", "The most that is kept before no more is accepted", stats.max_bytes),
    ] {
        let gauge = ConstGauge::new(i64::try_from(now).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(name, help, bytes, MetricType::Gauge)?)?;
    }
    for (name, help, count) in [
        ("pilum_store_commits", "Groups of changes written to the disk", stats.commits),
        ("pilum_store_changes", "Changes in them", stats.changes),
    ] {
        let counter = ConstCounter::new(count);
        counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, now: u64) -> Result<(), fmt::Error> {
    // The integers of the format are signed; a larger count saturates.
    let gauge = ConstGauge::new(i64::try_from(now).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_metric() {
        let stats = Stats {
            uptime: Duration::from_millis(12_500),
            tasks: 3,
            running: 2,
            sync_slots_in_use: 1,
            pending: 4,
            store: StoreStats {
                dead_letters: 9,
                callbacks: 10,
                bytes: 4096,
                max_bytes: 8192,
                commits: 11,
                changes: 12,
                ..StoreStats::default()
            },
            completed: 10,
            failed: 5,
            cancelled: 6,
            timed_out: 7,
            refused: 8,
            guest_time: Duration::from_millis(1_250),
        };
        let usage = ProcessUsage { resident_bytes: 4096, ..ProcessUsage::default() };
        insta::assert_snapshot!(encode(stats, usage).expect("text"));
    }
}
