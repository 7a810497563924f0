//! The guard of a synchronous call under way: its slot, its id and its record. The guard frees
//! them when the call ends or when the call's future is dropped.

use super::SyncCalls;
use super::execution::SyncExecution;
use super::executions::IdClaim;
use super::key::Key;
use crate::observe::estimate;
use crate::tasks::TaskEntry;
use crate::{BindError, CallContext, Execution, Reply, RequestError, Runtime, Store};
use pilum_store::size_estimate;
use pilum_types::{Outcome, Parameter};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How much longer than its own timeout a repeated call waits for the first one. It is more
/// than a run can overrun its deadline.
const REPEAT_GRACE: Duration = Duration::from_secs(1);

/// The text of a panic that only a mistake in this crate can cause.
const NOT_ADMITTED: &str = "a call has attempts and an end only after its admission";

/// A synchronous call under way.
pub(super) struct SyncCallGuard<'a, R: Runtime, S: Store> {
    calls: &'a SyncCalls<R, S>,
    pub(super) execution: Arc<SyncExecution>,
    entry: Arc<TaskEntry<R::Prepared>>,
    phase: Phase<'a>,
}

enum Phase<'a> {
    /// The call is not recorded.
    New,
    /// Its id is claimed among the synchronous executions.
    IdClaimed,
    /// It is an execution.
    Admitted(Admitted<'a>),
    /// It has ended and holds nothing.
    Ended,
}

struct Admitted<'a> {
    queue_wait: Duration,
    attempts: u32,
    /// When the latest attempt began.
    attempt_began: Instant,
    _slot: SemaphorePermit<'a>,
    /// Makes the drain wait for this call.
    _token: TaskTrackerToken,
}

impl<'a, R: Runtime, S: Store> SyncCallGuard<'a, R, S> {
    pub(super) fn new(
        calls: &'a SyncCalls<R, S>,
        entry: Arc<TaskEntry<R::Prepared>>,
        execution: SyncExecution,
    ) -> Self {
        Self { calls, execution: Arc::new(execution), entry, phase: Phase::New }
    }

    /// Claims the id that the client supplied. If an execution of the same request has the id
    /// already, returns the reply of that execution. `wait` is the call's timeout.
    pub(super) async fn claim_id(&mut self, wait: Duration) -> Result<Option<Reply>, RequestError> {
        let Key { tenant, id, .. } = &self.execution.key;
        let exists = || RequestError::ExecutionExists { id: id.as_str().to_owned() };
        let until = Instant::now() + self.calls.ctx.settings.sync.slot_wait + wait + REPEAT_GRACE;
        loop {
            let first = match self.calls.executions.claim(&self.execution) {
                IdClaim::Claimed => break,
                IdClaim::Submitting => return Err(exists()),
                IdClaim::Taken(first) => first,
            };
            if first.submission.is_none() || first.submission != self.execution.submission {
                return Err(exists());
            }
            if tokio::time::timeout_at(until, first.cancel_handle.ended()).await.is_err() {
                return self.still_running(&first).map(Some);
            }
            if let Some(execution) = first.result() {
                return Ok(Some(Reply::Finished(execution)));
            }
            // The first call was refused before it became an execution, so the id is free.
        }
        self.phase = Phase::IdClaimed;
        match self.calls.ctx.store.get(tenant, id).await? {
            Some(_asynchronous) => Err(exists()),
            None => Ok(None),
        }
    }

    /// Makes the call an execution. `queue_wait` is how long it waited for its slot.
    ///
    /// # Errors
    /// When the task was deleted after it was looked up.
    pub(super) fn admit(
        &mut self,
        slot: SemaphorePermit<'a>,
        queue_wait: Duration,
    ) -> Result<(), RequestError> {
        let now = Instant::now();
        self.execution.admit(self.calls.ctx.clock.at(now));
        if matches!(self.phase, Phase::New) {
            self.calls.executions.insert(Arc::clone(&self.execution));
            self.phase = Phase::IdClaimed;
        }
        // Checked after the execution can be found: a deletion either finds the execution, or
        // this check sees the deletion.
        if self.entry.is_deleted() {
            return Err(RequestError::TaskNotFound { id: self.execution.task_id.as_str().to_owned() });
        }
        self.entry.count_admitted();
        self.phase = Phase::Admitted(Admitted {
            queue_wait,
            attempts: 0,
            attempt_began: now,
            _slot: slot,
            _token: self.calls.lifecycle.tracker.token(),
        });
        Ok(())
    }

    /// Starts an attempt.
    pub(super) fn run_attempt(
        &self,
        call: R::Call,
        context: CallContext,
    ) -> impl Future<Output = Outcome> + use<'a, R, S> {
        self.calls.ctx.run(call, context)
    }

    /// Binds the call again, for another attempt.
    pub(super) fn bind(
        &self,
        prepared: &Arc<R::Prepared>,
        parameters: Vec<Parameter>,
    ) -> Result<R::Call, BindError> {
        self.calls.ctx.runtime.bind(prepared, &self.execution.function, parameters)
    }

    /// How many attempts have begun.
    pub(super) fn attempts(&self) -> u32 {
        self.admitted().attempts
    }

    /// Records that an attempt begins at `now`. The first attempt (`None`) begins at the
    /// admission.
    pub(super) fn begin_attempt(&mut self, now: Option<Instant>) -> Instant {
        let Phase::Admitted(admitted) = &mut self.phase else { unreachable!("{NOT_ADMITTED}") };
        admitted.attempts += 1;
        admitted.attempt_began = now.unwrap_or(admitted.attempt_began);
        self.execution.begin_attempt(admitted.attempts, self.calls.ctx.clock.at(admitted.attempt_began));
        admitted.attempt_began
    }

    /// Records that the attempt ends now, with this outcome.
    pub(super) fn end_attempt(&mut self, outcome: &Outcome, cancelled: bool) -> Instant {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.admitted().attempt_began);
        self.execution.end_attempt(outcome, took);
        self.calls.observer.counters.add_guest_time(outcome.usage.guest);
        if !cancelled {
            self.calls.observer.record_run_time(&self.entry, &self.execution.function, took);
        }
        now
    }

    /// Records the end, frees what the call held, and wakes everything that waits for the end.
    pub(super) fn end(&mut self, mut outcome: Outcome, at: Instant) -> Arc<Execution> {
        let at = self.calls.ctx.clock.at(at);
        let Phase::Admitted(admitted) = std::mem::replace(&mut self.phase, Phase::Ended) else {
            unreachable!("{NOT_ADMITTED}")
        };
        outcome.usage.queue_wait = admitted.queue_wait;
        outcome.usage.attempt = admitted.attempts;
        drop(admitted);
        let bytes = size_estimate(Some(&outcome), self.execution.submission.as_deref());
        let execution = self.execution.end(outcome, at);
        self.calls.executions.add_ended(&self.execution, at, bytes);
        self.calls.observer.count_ended(Some(&self.entry), &execution, at);
        self.execution.cancel_handle.end();
        self.calls.observer.watchers.publish(&execution);
        execution
    }

    fn admitted(&self) -> &Admitted<'a> {
        let Phase::Admitted(admitted) = &self.phase else { unreachable!("{NOT_ADMITTED}") };
        admitted
    }

    /// The reply to a repeated call whose timeout is over before the first call has ended.
    fn still_running(&self, first: &SyncExecution) -> Result<Reply, RequestError> {
        let execution = first.view().ok_or_else(|| self.calls.no_slot())?;
        let mean = self.entry.run_times().mean(&self.execution.function).unwrap_or_default();
        Ok(Reply::Pending { execution, estimate: estimate::until_end(mean, Duration::ZERO, 1, 1) })
    }
}

impl<R: Runtime, S: Store> Drop for SyncCallGuard<'_, R, S> {
    fn drop(&mut self) {
        match self.phase {
            Phase::New | Phase::Ended => {}
            Phase::IdClaimed => {
                self.calls.executions.release(&self.execution);
                self.execution.cancel_handle.end();
            }
            Phase::Admitted(_) => {
                let outcome = Outcome::cancelled("the caller went away");
                let now = self.end_attempt(&outcome, true);
                self.end(outcome, now);
            }
        }
    }
}
