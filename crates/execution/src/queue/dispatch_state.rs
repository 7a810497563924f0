//! The dispatcher's state: its runners, their run times, and how many executions it may claim.

use super::in_flight::InFlight;
use crate::observe::estimate::RunningMean;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The most executions that are claimed beyond those that can run at once: they wait for a
/// runner, or a worker records their end.
const CLAIMED_EARLY_MAX: usize = 128;

/// The state that the dispatcher and its workers share.
#[derive(Debug)]
pub(super) struct DispatchState {
    runners_max: usize,
    /// One permit for each execution that may run. The drain closes it: a claimed execution
    /// that has not begun is handed back.
    pub(super) runners: Semaphore,
    /// How long a claim takes.
    pub(super) claim_time: RunningMean,
    /// How long an attempt takes.
    attempt_time: RunningMean,
    /// When the latest attempt freed its runner, in nanoseconds of uptime.
    last_freed: AtomicU64,
    /// Claimed executions that run or wait for a runner.
    pub(super) active: InFlight,
    /// Those, and executions whose end is being recorded.
    pub(super) claimed: InFlight,
}

impl DispatchState {
    pub(super) fn new(runners_max: usize) -> Self {
        Self {
            runners_max,
            runners: Semaphore::new(runners_max.min(Semaphore::MAX_PERMITS)),
            claim_time: RunningMean::default(),
            attempt_time: RunningMean::default(),
            last_freed: AtomicU64::new(0),
            active: InFlight::default(),
            claimed: InFlight::default(),
        }
    }

    /// Records that a run of this length freed its runner at this uptime.
    pub(super) fn runner_freed(&self, took: Duration, uptime: Duration) {
        self.attempt_time.record(took);
        let now = u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX);
        self.last_freed.store(now, Ordering::Relaxed);
    }

    /// How many executions may be claimed now: as many as can run. If runs are shorter than
    /// claims, more are claimed, so that the runners do not wait.
    pub(super) fn claim_limit(&self, uptime: Duration) -> usize {
        let claim = self.claim_time.get().unwrap_or_default();
        let run = self.attempt_time.get().filter(|_| self.runners_come_free(claim, uptime));
        let run = run.unwrap_or(Duration::MAX);
        let per_claim = self.runners_max as u128 * claim.as_nanos() * 2 / run.as_nanos().max(1);
        let early = usize::try_from(per_claim).unwrap_or(CLAIMED_EARLY_MAX).min(CLAIMED_EARLY_MAX);
        let limit = (self.runners_max + early).saturating_sub(self.active.count());
        limit.min((self.runners_max + CLAIMED_EARLY_MAX).saturating_sub(self.claimed.count()))
    }

    /// Whether runners become free about as often as executions are claimed. If all
    /// runners have long runs, an execution that is claimed early would be RUNNING without a
    /// runner.
    fn runners_come_free(&self, claim: Duration, uptime: Duration) -> bool {
        let freed = Duration::from_nanos(self.last_freed.load(Ordering::Relaxed));
        uptime.saturating_sub(freed) <= claim.saturating_mul(2)
    }
}
