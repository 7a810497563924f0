//! The workers: each takes one accepted execution after the other and runs it.

use crate::core::{Core, cancelled, failed, unwinding};
use crate::task_entry::TaskEntry;
use crate::{
    BindError, Claim, Execution, Lease, PrepareError, RunContext, Runtime, Store, StoreError, backoff,
};
use pilum_types::{Failure, FailureCode, Outcome, RetryClass};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How long an execution stays a worker's without a word from it. Long beside
/// any pause of a healthy host, short beside what people wait for.
const LEASE: Duration = Duration::from_secs(30);
/// How often a worker says that it is still there: one of these may be late and
/// the next fail before the lease is lost.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How long a worker leaves a store alone that failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How a worker's run came to its end.
enum End {
    /// With this outcome.
    Ran(Ran),
    /// Somebody cancelled it.
    Cancelled(String),
    /// The host has no more time for it.
    HandedBack,
    /// The execution is another worker's by now.
    Lost,
}

/// An attempt that ended by itself.
struct Ran {
    outcome: Outcome,
    /// Whether another attempt may help, whatever the failure's own class.
    again: bool,
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs until the drain.
    pub(crate) async fn work(&self) {
        let mut was_idle = false;
        while !self.stop.is_cancelled() {
            // A panic in a store must not cost the host a worker for good.
            was_idle = match unwinding(self.turn(was_idle)).await {
                Ok(worked) => !worked,
                Err(_panic) => {
                    self.alarm.set(Instant::now() + STORE_PAUSE);
                    true
                }
            };
            if was_idle {
                // A wake that came since the claim is kept, so it is not missed.
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return,
                    () = self.wake.notified() => {}
                }
            }
        }
    }

    /// Takes and runs one execution; false if there was none to take.
    async fn turn(&self, was_idle: bool) -> bool {
        let now = self.clock.now();
        match self.store.claim(now, LEASE).await {
            Ok(Claim::Leased(lease)) => {
                if was_idle {
                    // One wake may stand for several things that became due.
                    self.wake.notify_one();
                }
                self.execute(*lease, now).await;
                return true;
            }
            Ok(Claim::NotBefore(at)) => self.alarm.set(self.clock.instant(at)),
            Ok(Claim::Empty) => {}
            Err(error) => {
                tracing::error!(%error, "no work could be claimed");
                self.alarm.set(Instant::now() + STORE_PAUSE);
            }
        }
        false
    }

    /// Runs a claimed execution and records what became of it.
    async fn execute(&self, lease: Lease, claimed_at: SystemTime) {
        let fence = &lease.fence;
        let held = self.handles.hold(&fence.tenant, &fence.id);
        let entry = self.tasks.get_reserved(&fence.tenant, &lease.submission.task_id);
        held.handle.begin();
        let began = Instant::now();
        let end = {
            let attempt = unwinding(self.attempt(&lease, entry.as_deref()));
            tokio::select! {
                biased;
                reason = held.handle.cancelled() => End::Cancelled(reason.to_owned()),
                () = self.abort.cancelled() => End::HandedBack,
                () = self.keep(&lease) => End::Lost,
                ran = attempt => End::Ran(ran.unwrap_or_else(|_panic| Ran::in_vain("the host failed", true))),
            }
        };
        let wait = claimed_at.duration_since(lease.accepted_at).unwrap_or_default();
        let recorded = match end {
            End::Ran(ran) => {
                if let Some(entry) = &entry {
                    self.learn(entry, &lease.submission.function, began.elapsed());
                }
                self.counters.add_guest_time(ran.outcome.receipt.guest);
                self.record(&lease, entry.as_deref(), wait, ran).await
            }
            End::Cancelled(reason) => {
                let outcome = cancelled(&reason);
                self.finish(&lease, entry.as_deref(), wait, outcome).await
            }
            End::HandedBack => {
                let failure =
                    Failure::new(FailureCode::WorkerLost, "the host was shut down during the attempt");
                let now = self.clock.now();
                self.store.retry_later(fence, failure, now, now).await
            }
            End::Lost => Err(StoreError::Stale(fence.id.clone())),
        };
        match recorded {
            Ok(()) => {}
            Err(StoreError::Stale(id)) => tracing::warn!(%id, "a worker lost its lease; its work is dropped"),
            // The lease runs out and the execution is run again.
            Err(error) => tracing::error!(id = %fence.id, %error, "the end of an attempt was not recorded"),
        }
        held.handle.end();
    }

    /// Renews the lease again and again; returns when it is lost.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.store.renew(&lease.fence, self.clock.now(), LEASE).await {
                Ok(()) => {}
                Err(StoreError::Stale(_)) => return,
                Err(error) => tracing::warn!(id = %lease.fence.id, %error, "a lease was not renewed"),
            }
        }
    }

    /// Runs one attempt, from finding the code to the outcome.
    async fn attempt(&self, lease: &Lease, entry: Option<&TaskEntry<R::Prepared>>) -> Ran {
        let Some(entry) = entry else {
            return Ran::in_vain("the task was deleted", false);
        };
        let submission = &lease.submission;
        let prepared = match self.code(entry).await {
            Ok(code) => code,
            Err(error) => return Ran::unprepared(&error),
        };
        let parameters = submission.parameters.clone();
        let call = match self.runtime.bind(&prepared, &submission.function, parameters) {
            Ok(call) => call,
            Err(error) => return Ran::unbound(&error),
        };
        drop(prepared);
        let context = RunContext {
            task: entry.task.spec.name.clone(),
            function: submission.function.clone(),
            limits: self.limits(submission.timeout),
            environment: Arc::clone(&submission.environment),
            force_new_instance: submission.force_new_instance,
        };
        Ran { outcome: self.run(call, context).await, again: true }
    }

    /// Records an attempt that ended by itself: as the end, or to be repeated.
    async fn record(
        &self,
        lease: &Lease,
        entry: Option<&TaskEntry<R::Prepared>>,
        wait: Duration,
        ran: Ran,
    ) -> Result<(), StoreError> {
        let retries = self.settings.asynchronous.enable_retries && ran.again;
        let left = lease.attempt <= lease.submission.max_retries;
        match ran.outcome.result {
            Err(failure) if retries && left && failure.code.retry_class() == RetryClass::Maybe => {
                let now = self.clock.now();
                let not_before = now + backoff::full_jitter(lease.attempt);
                self.store.retry_later(&lease.fence, failure, now, not_before).await?;
                self.alarm.set(self.clock.instant(not_before));
                Ok(())
            }
            result => self.finish(lease, entry, wait, Outcome { result, ..ran.outcome }).await,
        }
    }

    /// Records the end.
    async fn finish(
        &self,
        lease: &Lease,
        entry: Option<&TaskEntry<R::Prepared>>,
        wait: Duration,
        mut outcome: Outcome,
    ) -> Result<(), StoreError> {
        outcome.receipt.queue_wait = wait;
        outcome.receipt.attempt = lease.attempt;
        let state = Execution::end_state(&outcome);
        let now = self.clock.now();
        self.store.finish(&lease.fence, outcome, now).await?;
        self.count_ended(entry, &lease.fence.tenant, &lease.submission.function, state, now);
        Ok(())
    }
}

impl Ran {
    fn in_vain(message: &str, again: bool) -> Self {
        Self { outcome: failed(Failure::new(FailureCode::HostError, message)), again }
    }

    /// The code was ready when the execution was accepted and is not now.
    fn unprepared(error: &PrepareError) -> Self {
        match error {
            PrepareError::Unavailable(_) => Self::in_vain(&error.to_string(), true),
            PrepareError::Internal(text) => {
                tracing::error!(text, "code could not be made ready for an accepted execution");
                Self::in_vain("the host could not make the code ready", true)
            }
            PrepareError::InvalidSource { .. }
            | PrepareError::ChecksumMismatch { .. }
            | PrepareError::InvalidCode(_) => Self::in_vain(&error.to_string(), false),
        }
    }

    /// The parameters fitted when the execution was accepted and do not now.
    fn unbound(error: &BindError) -> Self {
        Self::in_vain(&format!("the call no longer fits the code: {error}"), false)
    }
}

#[cfg(test)]
mod tests;
