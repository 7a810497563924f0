//! Takes work from the store, ahead of the runners where runs are short.

use crate::core::{Core, unwinding};
use crate::worker::LEASE;
use crate::{Claimed, Runtime, Store};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Executions claimed beyond those that can run at once, at most: those that
/// wait for a runner and those whose end is being written.
const AHEAD_MAX: usize = 128;
/// How long a store that failed is left alone.
pub(crate) const STORE_PAUSE: Duration = Duration::from_secs(1);

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs until the drain.
    pub(crate) async fn dispatch(self: &Arc<Self>) {
        while !self.stop.is_cancelled() {
            if self.turn().await {
                continue;
            }
            // A wake that came since the claim is kept, so it is not missed.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.wake.notified() => {}
            }
        }
    }

    /// Claims what there is room for and has it run; false if that was nothing.
    async fn turn(self: &Arc<Self>) -> bool {
        if self.settings.asynchronous.max_concurrent_executions == 0 {
            return false;
        }
        // Without room, what is late or lost is still seen to.
        let room = self.room();
        let began = Instant::now();
        // A panic in a store must not cost the host its dispatcher.
        let claimed = match unwinding(self.store.claim(self.clock.now(), LEASE, room)).await {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) => {
                tracing::error!(%error, "no work could be claimed");
                self.alarm.set(Instant::now() + STORE_PAUSE);
                return false;
            }
            Err(_panic) => {
                self.alarm.set(Instant::now() + STORE_PAUSE);
                return false;
            }
        };
        let Claimed { leases, changed, next_due } = claimed;
        for execution in &changed {
            self.changed(execution);
        }
        if let Some(at) = next_due {
            self.alarm.set(self.clock.instant(at));
        }
        if leases.is_empty() {
            return false;
        }
        self.claims.record(began.elapsed());
        for lease in leases {
            let active = self.active.take();
            let held = self.held.take();
            let core = Arc::clone(self);
            self.tracker.spawn(async move {
                core.execute(lease, active).await;
                drop(held);
                core.wake.notify_one();
            });
        }
        true
    }

    /// Notes that a run which took so long has freed its runner.
    pub(crate) fn runner_freed(&self, took: Duration) {
        self.attempts.record(took);
        let now = u64::try_from(self.clock.uptime().as_nanos()).unwrap_or(u64::MAX);
        self.freed.store(now, Ordering::Relaxed);
    }

    /// Whether runners come free about as often as work is claimed. Where all run
    /// something long, what is claimed ahead would only seem to run.
    fn runners_come_free(&self, claim: Duration) -> bool {
        let freed = Duration::from_nanos(self.freed.load(Ordering::Relaxed));
        self.clock.uptime().saturating_sub(freed) <= claim.saturating_mul(2)
    }

    /// How many executions may be claimed now. As many as can run; and where
    /// runs are shorter than claims, so many more that the runners do not wait.
    fn room(&self) -> usize {
        let runners = self.settings.asynchronous.max_concurrent_executions;
        let claim = self.claims.get().unwrap_or_default();
        let run = self.attempts.get().filter(|_| self.runners_come_free(claim)).unwrap_or(Duration::MAX);
        let per_claim = runners as u128 * claim.as_nanos() * 2 / run.as_nanos().max(1);
        let ahead = usize::try_from(per_claim).unwrap_or(AHEAD_MAX).min(AHEAD_MAX);
        let room = (runners + ahead).saturating_sub(self.active.count());
        room.min((runners + AHEAD_MAX).saturating_sub(self.held.count()))
    }
}

#[cfg(test)]
mod tests;
