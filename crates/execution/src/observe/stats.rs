//! The counters that health, statistics and metrics read.

use crate::StoreStats;
use hashbrown::HashMap;
use pilum_store::lock::{read, write};
use pilum_types::{FunctionName, State, TenantId};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How many functions have a counter of their own, of all tenants together. Further ones count
/// under [`OTHER`]. At some 300 bytes each this is 3 MiB.
const FUNCTIONS_MAX: usize = 10_000;
/// The name under which calls of functions beyond the bound count.
const OTHER: &str = "other";

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// How long the process has run.
    pub uptime: Duration,
    /// Registered tasks, of all tenants.
    pub tasks: u64,
    /// Executions that run, of all modes.
    pub running: u64,
    /// Synchronous slots taken.
    pub sync_slots_in_use: u64,
    /// Asynchronous executions that wait.
    pub pending: u64,
    /// What the store holds.
    pub store: StoreStats,
    /// Executions that ended COMPLETED.
    pub completed: u64,
    /// Executions that ended FAILED.
    pub failed: u64,
    /// Executions that ended CANCELLED.
    pub cancelled: u64,
    /// Executions that ended TIMEOUT.
    pub timed_out: u64,
    /// Requests that did not become an execution.
    pub refused: u64,
    /// The time that all ended attempts spent inside their guests.
    pub guest_time: Duration,
}

/// The counters that calls and workers increase.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    timed_out: AtomicU64,
    refused: AtomicU64,
    guest_nanos: AtomicU64,
}

/// Counts ended executions by tenant and function.
#[derive(Debug, Default)]
pub(crate) struct FunctionCounters {
    /// Read on every call, written when a function ends for the first time.
    tenants: RwLock<HashMap<TenantId, TenantCounters>>,
    functions: AtomicUsize,
}

#[derive(Debug, Default)]
struct TenantCounters {
    functions: HashMap<FunctionName, AtomicU64>,
    other: AtomicU64,
}

impl Counters {
    /// Counts an execution that ended in `state`.
    pub(crate) fn count_ended(&self, state: State) {
        let counter = match state {
            State::Completed => &self.completed,
            State::Failed => &self.failed,
            State::Cancelled => &self.cancelled,
            State::Timeout => &self.timed_out,
            State::Pending | State::Running => unreachable!("an execution ends in a terminal state"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that did not become an execution.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the time that an attempt spent inside its guest.
    pub(crate) fn add_guest_time(&self, guest: Duration) {
        let nanos = u64::try_from(guest.as_nanos()).unwrap_or(u64::MAX);
        self.guest_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The values of the counters; the other fields are zero.
    pub(crate) fn read(&self) -> Stats {
        Stats {
            completed: self.completed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            timed_out: self.timed_out.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            guest_time: Duration::from_nanos(self.guest_nanos.load(Ordering::Relaxed)),
            ..Stats::default()
        }
    }
}

impl FunctionCounters {
    /// Counts an ended execution of `function`.
    pub(crate) fn count(&self, tenant: &TenantId, function: &FunctionName) {
        let is_full = self.functions.load(Ordering::Relaxed) >= FUNCTIONS_MAX;
        if let Some(tenant) = read(&self.tenants).get(tenant) {
            let counter = match tenant.functions.get(function) {
                None if is_full => Some(&tenant.other),
                found => found,
            };
            if let Some(counter) = counter {
                counter.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        self.count_first(tenant, function);
    }

    /// The most called functions of a tenant.
    pub(crate) fn top(&self, tenant: &TenantId, limit: usize) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = match read(&self.tenants).get(tenant) {
            None => return Vec::new(),
            Some(tenant) => tenant
                .functions
                .iter()
                .map(|(name, count)| (name.as_str(), count))
                .chain([(OTHER, &tenant.other)])
                .map(|(name, count)| (name.to_owned(), count.load(Ordering::Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        };
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(limit);
        counts
    }

    fn count_first(&self, tenant: &TenantId, function: &FunctionName) {
        let mut tenants = write(&self.tenants);
        let tenant = tenants.entry(tenant.clone()).or_default();
        // Only the holder of this lock adds functions, so the bound cannot be exceeded.
        let is_full = self.functions.load(Ordering::Relaxed) >= FUNCTIONS_MAX;
        let counter = match tenant.functions.get(function) {
            Some(known) => known,
            None if is_full => &tenant.other,
            None => {
                self.functions.fetch_add(1, Ordering::Relaxed);
                tenant.functions.entry(function.clone()).or_default()
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_tenant_and_function_up_to_a_bound() {
        let calls = FunctionCounters::default();
        let tenant = TenantId::parse("a").unwrap();
        let name = |text: &str| FunctionName::parse(text).unwrap();
        for i in 0..FUNCTIONS_MAX + 5 {
            calls.count(&tenant, &name(&format!("f{i}")));
        }
        calls.count(&tenant, &name("f7"));
        calls.count(&tenant, &name("f7"));
        let top = calls.top(&tenant, 3);
        assert_eq!(top, [(OTHER.to_owned(), 5), ("f7".to_owned(), 3), ("f0".to_owned(), 1)]);
        assert_eq!(calls.top(&tenant, usize::MAX).len(), FUNCTIONS_MAX + 1);
        assert_eq!(calls.top(&TenantId::default(), 3), []);
        // A tenant that comes after the bound is reached is counted, but not by function.
        calls.count(&TenantId::default(), &name("late"));
        assert_eq!(calls.top(&TenantId::default(), 3), [(OTHER.to_owned(), 1)]);
    }
}
