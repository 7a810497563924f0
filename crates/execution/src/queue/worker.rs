//! A worker: it runs one claimed execution and records how the run ended.

use super::Queue;
use super::in_flight::InFlightGuard;
use crate::ctx::backoff;
use crate::ctx::catch_panic::catch_panic;
use crate::ctx::limits::call_context;
use crate::tasks::TaskEntry;
use crate::{AttemptEnd, BindError, CallContext, Execution, Lease, PrepareError, Runtime, Store, StoreError};
use pilum_store::fail_point;
use pilum_types::{Failure, FailureCode, Outcome, RetryClass};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How long a lease lasts without a renewal. It is longer than any pause of a healthy host, and
/// short enough that a caller of a lost execution still waits.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How often a worker renews its lease. One renewal may be late and the next one may fail
/// before the lease is lost.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(10);

/// How long to wait after the store has failed.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How a worker's run ended.
enum RunEnd {
    /// The attempt ended by itself.
    Attempted(AttemptResult),
    /// The run was cancelled, for this reason.
    Cancelled(String),
    /// The time of the drain was over.
    Aborted,
    /// The attempt could not begin.
    NotBegun,
    /// The lease was lost.
    LeaseLost,
}

/// The result of an attempt that ended by itself.
struct AttemptResult {
    outcome: Outcome,
    /// Whether another attempt is allowed. The class of the failure must allow it too.
    may_retry: bool,
}

/// The record that the worker writes about its run.
enum RunRecord {
    Finish(Arc<Outcome>),
    RetryAt(SystemTime, AttemptEnd),
    HandBack,
}

impl<R: Runtime, S: Store> Queue<R, S> {
    /// Runs a claimed execution and records its end. `active` is dropped as soon as the
    /// execution no longer needs a runner.
    pub(super) async fn execute(&self, lease: Lease, active: InFlightGuard) {
        let fence = &lease.fence;
        let guard = self.cancel_handles.hold(&fence.tenant, &fence.id);
        let entry = self.tasks.entry_or_reserved(&fence.tenant, &lease.submission.task_id);
        guard.handle.begin();
        self.observer.watchers.publish(&lease.execution);
        let mut renewal = pin!(self.renew(&lease));
        let mut wait = Duration::ZERO;
        let end = {
            let attempt = async {
                let Ok(_runner) = self.dispatch.runners.acquire().await else { return RunEnd::NotBegun };
                wait = self.ctx.clock.now().duration_since(lease.execution.accepted_at).unwrap_or_default();
                if let Err(error) = self.ctx.store.begin(fence) {
                    tracing::error!(id = %fence.id, %error, "an attempt cannot begin");
                    tokio::time::sleep(STORE_PAUSE).await;
                    return RunEnd::NotBegun;
                }
                // Logged after the store has recorded it, so every logged attempt is recorded.
                tracing::debug!(id = %fence.id, attempt = lease.attempt, "an attempt begins");
                fail_point::reach("run.before");
                let began = Instant::now();
                let result = catch_panic(self.attempt(&lease, entry.as_deref())).await;
                if let Some(entry) = &entry {
                    self.observer.record_run_time(entry, &lease.submission.function, began.elapsed());
                }
                self.dispatch.runner_freed(began.elapsed(), self.ctx.clock.uptime());
                fail_point::reach("run.after");
                RunEnd::Attempted(
                    result.unwrap_or_else(|_panic| AttemptResult::not_run("the host failed", true)),
                )
            };
            tokio::select! {
                biased;
                reason = guard.handle.cancelled() => RunEnd::Cancelled(reason.to_owned()),
                () = self.lifecycle.abort.cancelled() => RunEnd::Aborted,
                () = &mut renewal => RunEnd::LeaseLost,
                end = attempt => end,
            }
        };
        drop(active);
        self.wake.notify_one();
        let record = match end {
            RunEnd::Attempted(result) => {
                self.observer.counters.add_guest_time(result.outcome.usage.guest);
                Some(self.record_of(&lease, wait, result))
            }
            RunEnd::Cancelled(reason) => {
                Some(RunRecord::Finish(Arc::new(with_usage(Outcome::cancelled(&reason), &lease, wait))))
            }
            RunEnd::Aborted => {
                let text = "the host was shut down during the attempt";
                Some(RunRecord::RetryAt(
                    self.ctx.clock.now(),
                    Failure::new(FailureCode::WorkerLost, text).into(),
                ))
            }
            RunEnd::NotBegun => Some(RunRecord::HandBack),
            RunEnd::LeaseLost => None,
        };
        match record {
            None => tracing::warn!(id = %fence.id, "a worker lost its lease; its work is dropped"),
            // Only the store's answer to the record ends this. A failed renewal does not: while a
            // commit is under way, the store may still restore the lease.
            Some(record) => tokio::select! {
                () = self.write_record(&lease, &record) => {}
                () = self.renew_always(&lease) => {}
            },
        }
        guard.handle.end();
    }

    /// Renews the lease at each interval; returns when it is lost.
    async fn renew(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.ctx.store.renew(&lease.fence, self.ctx.clock.now(), LEASE).await {
                Ok(()) => {}
                Err(StoreError::LeaseLost(_)) => return,
                Err(error) => tracing::warn!(id = %lease.fence.id, %error, "a lease was not renewed"),
            }
        }
    }

    /// Renews the lease for as long as this is polled, even after a failure.
    async fn renew_always(&self, lease: &Lease) {
        loop {
            self.renew(lease).await;
        }
    }

    /// Runs one attempt: finds the code, binds the call and runs it.
    async fn attempt(&self, lease: &Lease, entry: Option<&TaskEntry<R::Prepared>>) -> AttemptResult {
        let Some(entry) = entry else {
            return AttemptResult::not_run("the task was deleted", false);
        };
        let submission = &lease.submission;
        let Some(timeout) = self.time_left(lease) else {
            let message = "its deadline came before a runner was free, so it was not run";
            let outcome = Outcome::failed(Failure::new(FailureCode::DeadlineExceeded, message));
            return AttemptResult { outcome, may_retry: false };
        };
        let prepared = match self.tasks.code(entry).await {
            Ok(code) => code,
            Err(error) => return AttemptResult::not_prepared(&error),
        };
        let parameters = submission.parameters.clone();
        let call = match self.ctx.runtime.bind(&prepared, &submission.function, parameters) {
            Ok(call) => call,
            Err(error) => return AttemptResult::not_bound(&error),
        };
        drop(prepared);
        let settings = &self.ctx.settings;
        let function = submission.function.clone();
        let context = CallContext {
            force_new_instance: submission.force_new_instance,
            log_sink: Some(self.observer.watchers.log_sink(&lease.fence.tenant, &lease.fence.id)),
            ..call_context(settings, &entry.task, function, timeout, &submission.environment)
        };
        AttemptResult { outcome: self.ctx.run(call, context).await, may_retry: true }
    }

    /// How long the attempt may take: its timeout, but not beyond the deadline; `None` after the
    /// deadline.
    fn time_left(&self, lease: &Lease) -> Option<Duration> {
        let submission = &lease.submission;
        match submission.schedule.deadline {
            None => Some(submission.timeout),
            Some(at) => at.duration_since(self.ctx.clock.now()).ok().map(|left| left.min(submission.timeout)),
        }
    }

    /// The record of an attempt that ended by itself.
    fn record_of(&self, lease: &Lease, wait: Duration, result: AttemptResult) -> RunRecord {
        let may_retry = self.ctx.settings.asynchronous.enable_retries && result.may_retry;
        let has_retries = lease.attempt <= lease.submission.max_retries;
        match &result.outcome.result {
            Err(failure) if may_retry && has_retries && failure.code.retry_class() == RetryClass::Maybe => {
                let not_before = self.ctx.clock.now() + backoff::full_jitter(lease.attempt);
                let instance = result.outcome.instance.clone();
                RunRecord::RetryAt(not_before, AttemptEnd { failure: failure.clone(), instance })
            }
            _ => RunRecord::Finish(Arc::new(with_usage(result.outcome, lease, wait))),
        }
    }

    /// Writes the record, and tries again until the store accepts or refuses it: an execution must
    /// not run again only because the storage was full for a while.
    async fn write_record(&self, lease: &Lease, record: &RunRecord) {
        loop {
            let error = match self.try_write_record(lease, record).await {
                Ok(execution) => {
                    self.changed(&execution);
                    return;
                }
                Err(error) => error,
            };
            let id = &lease.fence.id;
            match error {
                StoreError::LeaseLost(_) => {
                    tracing::warn!(%id, "a worker lost its lease; its work is dropped");
                    return;
                }
                // An execution whose end is not recorded runs again after the next start.
                error if self.lifecycle.abort.is_cancelled() => {
                    tracing::error!(%id, %error, "the end of an attempt was not recorded");
                    return;
                }
                error => tracing::error!(%id, %error, "the end of an attempt is not recorded yet"),
            }
            tokio::select! {
                () = self.lifecycle.abort.cancelled() => {}
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
    }

    async fn try_write_record(
        &self,
        lease: &Lease,
        record: &RunRecord,
    ) -> Result<Arc<Execution>, StoreError> {
        let (fence, now) = (&lease.fence, self.ctx.clock.now());
        match record {
            RunRecord::Finish(outcome) => self.ctx.store.finish(fence, Arc::clone(outcome), now).await,
            RunRecord::HandBack => self.ctx.store.hand_back(fence, now).await,
            RunRecord::RetryAt(not_before, ended) => {
                let put_back = self.ctx.store.retry_later(fence, ended.clone(), now, *not_before).await?;
                self.due_timer.set(self.ctx.clock.instant(*not_before));
                Ok(put_back)
            }
        }
    }
}

/// An outcome with the parts of its usage that the host knows.
fn with_usage(mut outcome: Outcome, lease: &Lease, wait: Duration) -> Outcome {
    outcome.usage.queue_wait = wait;
    outcome.usage.attempt = lease.attempt;
    outcome
}

impl AttemptResult {
    fn not_run(message: &str, may_retry: bool) -> Self {
        Self { outcome: Outcome::failed(Failure::new(FailureCode::HostError, message)), may_retry }
    }

    /// The code could be prepared when the execution was accepted, and cannot be prepared now.
    fn not_prepared(error: &PrepareError) -> Self {
        match error {
            PrepareError::Unavailable(_) => Self::not_run(&error.to_string(), true),
            PrepareError::Internal(text) => {
                tracing::error!(text, "the code of an accepted execution could not be prepared");
                Self::not_run("the host could not prepare the code", true)
            }
            PrepareError::InvalidSource { .. }
            | PrepareError::ChecksumMismatch { .. }
            | PrepareError::InvalidCode(_) => Self::not_run(&error.to_string(), false),
        }
    }

    /// The parameters fitted when the execution was accepted, and do not fit now.
    fn not_bound(error: &BindError) -> Self {
        Self::not_run(&format!("the call no longer fits the code: {error}"), false)
    }
}

#[cfg(test)]
mod tests;
