//! The dispatcher: it claims executions from the store in batches. If runs are short, it
//! claims executions before their runners are free.

use super::Queue;
use super::worker::{LEASE, STORE_PAUSE};
use crate::ctx::catch_panic::catch_panic;
use crate::{ClaimBatch, Execution, Runtime, Store};
use std::sync::Arc;
use tokio::time::Instant;

impl<R: Runtime, S: Store> Queue<R, S> {
    /// Claims executions and runs them until the drain.
    pub(crate) async fn run_dispatcher(self: &Arc<Self>) {
        while !self.lifecycle.stop.is_cancelled() {
            if self.claim_and_spawn().await {
                continue;
            }
            // `Notify` stores a wake during the claim, so it is not lost.
            tokio::select! {
                biased;
                () = self.lifecycle.stop.cancelled() => return,
                () = self.wake.notified() => {}
            }
        }
    }

    /// Wakes the dispatcher when an execution becomes due, until the drain.
    pub(crate) async fn run_due_timer(&self) {
        self.due_timer.run(&self.lifecycle.stop, &self.wake).await;
    }

    /// Reports a change of an asynchronous execution.
    pub(crate) fn changed(&self, execution: &Arc<Execution>) {
        if execution.state.is_terminal() {
            let entry = self.tasks.entry(&execution.tenant, &execution.task_id);
            let at = execution.completed_at.unwrap_or_else(|| self.ctx.clock.now());
            self.observer.count_ended(entry.as_deref(), execution, at);
            self.observer.finished.insert(execution);
            self.callbacks.due.notify_one();
        }
        self.observer.watchers.publish(execution);
    }

    /// Claims as many executions as may be claimed now, and spawns a worker for each. Returns
    /// whether there was one.
    async fn claim_and_spawn(self: &Arc<Self>) -> bool {
        if self.ctx.settings.asynchronous.max_concurrent_executions == 0 {
            return false;
        }
        // A claim with the limit 0 still handles late and lost executions.
        let limit = self.dispatch.claim_limit(self.ctx.clock.uptime());
        let began = Instant::now();
        // A panic in a store must not end the dispatcher.
        let batch = catch_panic(self.ctx.store.claim(self.ctx.clock.now(), LEASE, limit)).await;
        let ClaimBatch { leases, changed, next_due } = match batch {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => {
                tracing::error!(%error, "no execution could be claimed");
                self.due_timer.set(Instant::now() + STORE_PAUSE);
                return false;
            }
            Err(_panic) => {
                self.due_timer.set(Instant::now() + STORE_PAUSE);
                return false;
            }
        };
        for execution in &changed {
            self.changed(execution);
        }
        if let Some(at) = next_due {
            self.due_timer.set(self.ctx.clock.instant(at));
        }
        if leases.is_empty() {
            return false;
        }
        self.dispatch.claim_time.record(began.elapsed());
        for lease in leases {
            let active = self.dispatch.active.enter();
            let claimed = self.dispatch.claimed.enter();
            let queue = Arc::clone(self);
            self.lifecycle.tracker.spawn(async move {
                queue.execute(lease, active).await;
                drop(claimed);
                queue.wake.notify_one();
            });
        }
        true
    }
}

#[cfg(test)]
impl<R: Runtime, S: Store> Queue<R, S> {
    /// Pretends that claims take this long.
    fn record_claim_time(&self, took: std::time::Duration) {
        self.dispatch.claim_time.record(took);
    }

    /// How many executions workers hold.
    pub(crate) fn claimed(&self) -> usize {
        self.dispatch.claimed.count()
    }

    /// How many runners are free, and how many executions are active.
    pub(crate) fn runners_and_active(&self) -> (usize, usize) {
        (self.dispatch.runners.available_permits(), self.dispatch.active.count())
    }

    /// Wakes the dispatcher.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests;
