//! Estimates of run times from runs that have ended.

use hashbrown::HashMap;
use pilum_store::lock::{read, write};
use pilum_types::FunctionName;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A new run counts for an eighth, like a round-trip time in TCP (RFC 6298): the mean follows a
/// change within some ten runs, and an outlier soon loses its weight.
const NEW_RUN_DIVISOR: u64 = 8;
/// How many functions of a task have a mean of their own; runs of further ones count only for
/// the task. Real components export fewer, under all their names.
const FUNCTIONS_MAX: usize = 256;
/// The lowest estimate: the unit of estimates on the wire.
const ESTIMATE_MIN: Duration = Duration::from_millis(1);

/// A running mean of durations. Of two updates at the same moment one may be lost. This hardly
/// changes a mean, and it saves a lock in every call.
#[derive(Debug, Default)]
pub(crate) struct RunningMean {
    /// Nanoseconds; 0 before the first duration.
    nanos: AtomicU64,
}

/// The run times of one task's functions.
#[derive(Debug, Default)]
pub(crate) struct RunTimes {
    all: RunningMean,
    /// Read on every call, written when a function runs for the first time.
    by_function: RwLock<HashMap<FunctionName, RunningMean>>,
}

impl RunningMean {
    /// Adds a duration.
    pub(crate) fn record(&self, took: Duration) {
        let sample = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let old = self.nanos.load(Ordering::Relaxed);
        let new = match old {
            0 => sample,
            _ => old - old / NEW_RUN_DIVISOR + sample / NEW_RUN_DIVISOR,
        };
        self.nanos.store(new.max(1), Ordering::Relaxed);
    }

    /// The mean, `None` before the first duration.
    pub(crate) fn get(&self) -> Option<Duration> {
        match self.nanos.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

impl RunTimes {
    /// Adds a run of `function`.
    pub(crate) fn record(&self, function: &FunctionName, took: Duration) {
        self.all.record(took);
        if let Some(mean) = read(&self.by_function).get(function) {
            mean.record(took);
            return;
        }
        let mut by_function = write(&self.by_function);
        if by_function.len() < FUNCTIONS_MAX || by_function.contains_key(function) {
            by_function.entry(function.clone()).or_default().record(took);
        }
    }

    /// How long a run of `function` takes: the function's mean, or else the task's.
    pub(crate) fn mean(&self, function: &FunctionName) -> Option<Duration> {
        let own = read(&self.by_function).get(function).and_then(RunningMean::get);
        own.or_else(|| self.all.get())
    }
}

/// How long until a waiting execution ends. It has the place `queue_position` (from 1), it
/// takes `own` itself, each other execution takes `other`, and `at_once` run at a time. The
/// runs that are under way count as one more execution before it.
pub(crate) fn until_end(own: Duration, other: Duration, queue_position: usize, at_once: usize) -> Duration {
    (own + share(other, queue_position, at_once)).max(ESTIMATE_MIN)
}

/// The time that `at_once` runners need for `runs` runs of `mean` each, rounded up.
pub(crate) fn share(mean: Duration, runs: usize, at_once: usize) -> Duration {
    let nanos = mean.as_nanos().saturating_mul(runs as u128).div_ceil(at_once.max(1) as u128);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FunctionName {
        FunctionName::parse(text).unwrap()
    }

    #[test]
    fn a_mean_follows_its_samples() {
        let mean = RunningMean::default();
        assert_eq!(mean.get(), None);
        mean.record(Duration::from_millis(80));
        assert_eq!(mean.get(), Some(Duration::from_millis(80)));
        mean.record(Duration::from_millis(160));
        assert_eq!(mean.get(), Some(Duration::from_millis(90)));
        for _ in 0..100 {
            mean.record(Duration::from_millis(10));
        }
        let value = mean.get().unwrap();
        assert!(value < Duration::from_millis(11), "{value:?}");
    }

    #[test]
    fn a_function_without_runs_has_the_mean_of_its_task() {
        let runs = RunTimes::default();
        assert_eq!(runs.mean(&name("a")), None);
        runs.record(&name("a"), Duration::from_millis(40));
        assert_eq!(runs.mean(&name("b")), Some(Duration::from_millis(40)));
        runs.record(&name("b"), Duration::from_millis(8));
        assert_eq!(runs.mean(&name("b")), Some(Duration::from_millis(8)));
    }

    #[test]
    fn functions_beyond_the_bound_count_only_for_the_task() {
        let runs = RunTimes::default();
        for i in 0..2 * FUNCTIONS_MAX {
            runs.record(&name(&format!("f{i}")), Duration::from_millis(1));
        }
        assert_eq!(read(&runs.by_function).len(), FUNCTIONS_MAX);
        runs.record(&name("f0"), Duration::from_millis(1));
        assert_eq!(read(&runs.by_function).len(), FUNCTIONS_MAX);
    }

    #[test]
    fn estimates_round_up_and_are_never_zero() {
        let ms = Duration::from_millis;
        assert_eq!(until_end(ms(100), ms(100), 1, 4), ms(125));
        assert_eq!(until_end(ms(100), ms(40), 10, 4), ms(200));
        assert_eq!(until_end(Duration::ZERO, Duration::ZERO, 1, 4), ms(1));
        assert_eq!(share(Duration::from_nanos(10), 1, 4), Duration::from_nanos(3));
        assert_eq!(share(ms(10), 1, 0), ms(10));
        assert_eq!(share(Duration::MAX, usize::MAX, 1), Duration::from_nanos(u64::MAX));
    }
}
