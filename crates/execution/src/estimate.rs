//! How long runs take, learnt from those that ended.

use crate::lock::{read, write};
use hashbrown::HashMap;
use pilum_types::FunctionName;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each new run counts for an eighth, as round-trip times do in TCP (RFC 6298):
/// a change of pace is learnt within some ten runs, an outlier soon forgotten.
const NEW_RUN_DIVISOR: u64 = 8;
/// Functions of one task whose runs are told apart; those beyond count for the
/// task only. More than real components export under all their names.
const FUNCTIONS_MAX: usize = 256;
/// The least that is ever estimated: the unit in which estimates travel.
const ESTIMATE_MIN: Duration = Duration::from_millis(1);

/// A moving mean of durations. Updates that race may lose one of the two, which
/// a mean can bear and a lock on every call's path would not be worth.
#[derive(Debug, Default)]
pub(crate) struct Mean {
    /// Nanoseconds, 0 as long as nothing is known.
    nanos: AtomicU64,
}

impl Mean {
    /// Takes one more duration into account.
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

/// The run times of one task's functions.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    all: Mean,
    /// Read on every call, written when a function runs for the first time.
    by_function: RwLock<HashMap<FunctionName, Mean>>,
}

impl Runs {
    /// Takes one more run of `function` into account.
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

    /// What a run of `function` takes: its own mean, else the task's.
    pub(crate) fn mean(&self, function: &FunctionName) -> Option<Duration> {
        let own = read(&self.by_function).get(function).and_then(Mean::get);
        own.or_else(|| self.all.get())
    }
}

/// When an execution ends that waits behind `ahead` others, each of which takes
/// `other`, while `at_once` run at a time and it takes `own` itself. One more
/// than `ahead` is counted for what is under way and not done yet.
pub(crate) fn until_end(own: Duration, other: Duration, ahead: usize, at_once: usize) -> Duration {
    (own + share(other, ahead.saturating_add(1), at_once)).max(ESTIMATE_MIN)
}

/// The time `at_once` runners need for `runs` runs of `mean` each, rounded up.
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
    fn a_mean_follows_what_it_sees() {
        let mean = Mean::default();
        assert_eq!(mean.get(), None);
        mean.record(Duration::from_millis(80));
        assert_eq!(mean.get(), Some(Duration::from_millis(80)));
        mean.record(Duration::from_millis(160));
        assert_eq!(mean.get(), Some(Duration::from_millis(90)));
        for _ in 0..100 {
            mean.record(Duration::from_millis(10));
        }
        let learnt = mean.get().unwrap();
        assert!(learnt < Duration::from_millis(11), "{learnt:?}");
    }

    #[test]
    fn a_function_without_runs_is_judged_by_its_task() {
        let runs = Runs::default();
        assert_eq!(runs.mean(&name("a")), None);
        runs.record(&name("a"), Duration::from_millis(40));
        assert_eq!(runs.mean(&name("b")), Some(Duration::from_millis(40)));
        runs.record(&name("b"), Duration::from_millis(8));
        assert_eq!(runs.mean(&name("b")), Some(Duration::from_millis(8)));
    }

    #[test]
    fn functions_beyond_the_bound_are_not_told_apart() {
        let runs = Runs::default();
        for i in 0..2 * FUNCTIONS_MAX {
            runs.record(&name(&format!("f{i}")), Duration::from_millis(1));
        }
        assert_eq!(read(&runs.by_function).len(), FUNCTIONS_MAX);
        runs.record(&name("f0"), Duration::from_millis(1));
        assert_eq!(read(&runs.by_function).len(), FUNCTIONS_MAX);
    }

    #[test]
    fn estimates_round_up_and_never_are_nothing() {
        let ms = Duration::from_millis;
        assert_eq!(until_end(ms(100), ms(100), 0, 4), ms(125));
        assert_eq!(until_end(ms(100), ms(40), 9, 4), ms(200));
        assert_eq!(until_end(Duration::ZERO, Duration::ZERO, 0, 4), ms(1));
        assert_eq!(share(Duration::from_nanos(10), 1, 4), Duration::from_nanos(3));
        assert_eq!(share(ms(10), 1, 0), ms(10));
        assert_eq!(share(Duration::MAX, usize::MAX, 1), Duration::from_nanos(u64::MAX));
    }
}
