//! The observer: calls and workers report to it, and queries read it.

use super::estimate::{self, RunningMean};
use super::finished_cache::FinishedCache;
use super::stats::{Counters, FunctionCounters};
use super::watchers::Watchers;
use crate::Execution;
use crate::tasks::TaskEntry;
use pilum_types::FunctionName;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The shortest time after which a refused caller may try again. It is short enough that the
/// caller soon gets a slot, and long enough that its tries do not load the host.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Counters, run times, watchers and the cache of ended executions.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    pub(crate) counters: Counters,
    pub(crate) function_counters: FunctionCounters,
    /// The mean run time of all functions.
    pub(crate) run_time: RunningMean,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) finished: FinishedCache,
}

impl Observer {
    /// Records how long an attempt took that ran to its end.
    pub(crate) fn record_run_time<P>(&self, entry: &TaskEntry<P>, function: &FunctionName, took: Duration) {
        self.run_time.record(took);
        entry.run_times().record(function, took);
    }

    /// Counts an execution that ended at `at`.
    pub(crate) fn count_ended<P>(&self, entry: Option<&TaskEntry<P>>, execution: &Execution, at: SystemTime) {
        self.counters.count_ended(execution.state);
        self.function_counters.count(&execution.tenant, &execution.function);
        if let Some(entry) = entry {
            entry.count_ended(execution.state, at);
        }
    }

    /// When one of `at_once` runners is likely to be free.
    pub(crate) fn retry_after(&self, at_once: usize) -> Duration {
        let mean = self.run_time.get().unwrap_or_default();
        estimate::share(mean, 1, at_once).max(RETRY_AFTER_MIN)
    }
}
