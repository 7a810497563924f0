//! One accepted execution, from its claim to what is written down of it.

use crate::core::{Core, cancelled, failed, unwinding};
use crate::dispatch::STORE_PAUSE;
use crate::gauge::Counted;
use crate::task_entry::TaskEntry;
use crate::{
    AttemptEnd, BindError, CallContext, Execution, Lease, OutputMode, PrepareError, Runtime, Store,
    StoreError, backoff, failpoint,
};
use pilum_types::{Failure, FailureCode, Outcome, RetryClass};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How long an execution stays a worker's without a word from it. Long beside
/// any pause of a healthy host, short beside what people wait for.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How often a worker says that it is still there: one of these may be late and
/// the next fail before the lease is lost.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(10);

/// How a worker's run came to its end.
enum End {
    /// With this outcome.
    Ran(Ran),
    /// Somebody cancelled it.
    Cancelled(String),
    /// The host has no more time for it.
    HandedBack,
    /// The host is to stop before it has begun.
    NotBegun,
    /// The execution is another worker's by now.
    Lost,
}

/// An attempt that ended by itself.
struct Ran {
    outcome: Outcome,
    /// Whether another attempt may help, whatever the failure's own class.
    again: bool,
}

/// What is to be written down.
enum Verdict {
    Finish(Arc<Outcome>),
    RetryAt(SystemTime, AttemptEnd),
    HandBack,
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs a claimed execution and records what became of it. `active` is
    /// dropped as soon as it no longer needs a runner.
    pub(crate) async fn execute(&self, lease: Lease, active: Counted) {
        let fence = &lease.fence;
        let held = self.handles.hold(&fence.tenant, &fence.id);
        let entry = self.tasks.get_reserved(&fence.tenant, &lease.submission.task_id);
        held.handle.begin();
        self.watchers.publish(&lease.execution);
        let mut renewal = pin!(self.renew(&lease));
        let mut wait = Duration::ZERO;
        let end = {
            let attempt = async {
                let Ok(_runner) = self.runners.acquire().await else { return End::NotBegun };
                wait = self.clock.now().duration_since(lease.execution.accepted_at).unwrap_or_default();
                if let Err(error) = self.store.begin(fence) {
                    tracing::error!(id = %fence.id, %error, "an attempt cannot begin");
                    tokio::time::sleep(STORE_PAUSE).await;
                    return End::NotBegun;
                }
                // Said once it is noted, so that no run is told of that is not listed.
                tracing::debug!(id = %fence.id, attempt = lease.attempt, "an attempt begins");
                failpoint::reach("run.before");
                let began = Instant::now();
                let ran = unwinding(self.attempt(&lease, entry.as_deref())).await;
                if let Some(entry) = &entry {
                    self.learn(entry, &lease.submission.function, began.elapsed());
                }
                self.runner_freed(began.elapsed());
                failpoint::reach("run.after");
                End::Ran(ran.unwrap_or_else(|_panic| Ran::in_vain("the host failed", true)))
            };
            tokio::select! {
                biased;
                reason = held.handle.cancelled() => End::Cancelled(reason.to_owned()),
                () = self.abort.cancelled() => End::HandedBack,
                () = &mut renewal => End::Lost,
                end = attempt => end,
            }
        };
        drop(active);
        self.wake.notify_one();
        let verdict = match end {
            End::Ran(ran) => {
                self.counters.add_guest_time(ran.outcome.usage.guest);
                Some(self.verdict(&lease, wait, ran))
            }
            End::Cancelled(reason) => {
                Some(Verdict::Finish(Arc::new(receipted(cancelled(&reason), &lease, wait))))
            }
            End::HandedBack => {
                let text = "the host was shut down during the attempt";
                Some(Verdict::RetryAt(self.clock.now(), Failure::new(FailureCode::WorkerLost, text).into()))
            }
            End::NotBegun => Some(Verdict::HandBack),
            End::Lost => None,
        };
        match verdict {
            None => tracing::warn!(id = %fence.id, "a worker lost its lease; its work is dropped"),
            // Only the store's own word on the record itself ends this: while a
            // group is under way, what it holds of the lease may be undone yet.
            Some(verdict) => tokio::select! {
                () = self.record(&lease, &verdict) => {}
                () = self.renew_on(&lease) => {}
            },
        }
        held.handle.end();
    }

    /// Renews the lease again and again; returns when it is lost.
    async fn renew(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.store.renew(&lease.fence, self.clock.now(), LEASE).await {
                Ok(()) => {}
                Err(StoreError::Stale(_)) => return,
                Err(error) => tracing::warn!(id = %lease.fence.id, %error, "a lease was not renewed"),
            }
        }
    }

    /// Renews the lease for as long as this is polled, whatever comes of it.
    async fn renew_on(&self, lease: &Lease) {
        loop {
            self.renew(lease).await;
        }
    }

    /// Runs one attempt, from finding the code to the outcome.
    async fn attempt(&self, lease: &Lease, entry: Option<&TaskEntry<R::Prepared>>) -> Ran {
        let Some(entry) = entry else {
            return Ran::in_vain("the task was deleted", false);
        };
        let submission = &lease.submission;
        let Some(timeout) = self.time_left(lease) else {
            let message = "its deadline came before a runner was free, so it was not run";
            let outcome = failed(Failure::new(FailureCode::DeadlineExceeded, message));
            return Ran { outcome, again: false };
        };
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
        let context = CallContext {
            task_name: entry.task.spec.name.clone(),
            revision: entry.task.revision_key(),
            policy: Arc::clone(&entry.task.spec.policy),
            function: submission.function.clone(),
            limits: self.limits(timeout, &entry.task.spec.policy),
            environment: Self::environment(&entry.task.spec.policy, &submission.environment),
            force_new_instance: submission.force_new_instance,
            output: OutputMode::Collect,
            log_sink: Some(self.watchers.log_sink(&lease.fence.tenant, &lease.fence.id)),
        };
        Ran { outcome: self.run(call, context).await, again: true }
    }

    /// How long the attempt may take: its timeout, and no longer than the
    /// deadline; `None` once that is over.
    fn time_left(&self, lease: &Lease) -> Option<Duration> {
        let submission = &lease.submission;
        match submission.schedule.deadline {
            None => Some(submission.timeout),
            Some(at) => at.duration_since(self.clock.now()).ok().map(|left| left.min(submission.timeout)),
        }
    }

    /// What is to be written down of an attempt that ended by itself.
    fn verdict(&self, lease: &Lease, wait: Duration, ran: Ran) -> Verdict {
        let retries = self.settings.asynchronous.enable_retries && ran.again;
        let left = lease.attempt <= lease.submission.max_retries;
        match &ran.outcome.result {
            Err(failure) if retries && left && failure.code.retry_class() == RetryClass::Maybe => {
                let not_before = self.clock.now() + backoff::full_jitter(lease.attempt);
                let instance = ran.outcome.instance.clone();
                Verdict::RetryAt(not_before, AttemptEnd { failure: failure.clone(), instance })
            }
            _ => Verdict::Finish(Arc::new(receipted(ran.outcome, lease, wait))),
        }
    }

    /// Writes the verdict down, however often it takes: what has run must not
    /// run again because the disk was full for a while.
    async fn record(&self, lease: &Lease, verdict: &Verdict) {
        loop {
            let error = match self.try_record(lease, verdict).await {
                Ok(execution) => {
                    self.changed(&execution);
                    return;
                }
                Err(error) => error,
            };
            let id = &lease.fence.id;
            match error {
                StoreError::Stale(_) => {
                    tracing::warn!(%id, "a worker lost its lease; its work is dropped");
                    return;
                }
                // What is not recorded when the host ends is run again by the next.
                error if self.abort.is_cancelled() => {
                    tracing::error!(%id, %error, "the end of an attempt was not recorded");
                    return;
                }
                error => tracing::error!(%id, %error, "the end of an attempt is not recorded yet"),
            }
            tokio::select! {
                () = self.abort.cancelled() => {}
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
    }

    async fn try_record(&self, lease: &Lease, verdict: &Verdict) -> Result<Arc<Execution>, StoreError> {
        let (fence, now) = (&lease.fence, self.clock.now());
        match verdict {
            Verdict::Finish(outcome) => self.store.finish(fence, Arc::clone(outcome), now).await,
            Verdict::HandBack => self.store.hand_back(fence, now).await,
            Verdict::RetryAt(not_before, ended) => {
                let put_back = self.store.retry_later(fence, ended.clone(), now, *not_before).await?;
                self.alarm.set(self.clock.instant(*not_before));
                Ok(put_back)
            }
        }
    }
}

/// An outcome with what the host knows of its run.
fn receipted(mut outcome: Outcome, lease: &Lease, wait: Duration) -> Outcome {
    outcome.usage.queue_wait = wait;
    outcome.usage.attempt = lease.attempt;
    outcome
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
