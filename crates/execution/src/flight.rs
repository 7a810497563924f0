//! What a synchronous call holds while it is under way, and frees at its end
//! or when its future is dropped, whichever comes first.

use crate::core::{Core, cancelled};
use crate::estimate;
use crate::key::Key;
use crate::ledger::IdClaim;
use crate::sync_run::SyncRun;
use crate::task_entry::TaskEntry;
use crate::{Execution, Reply, RequestError, Runtime, Store, weight};
use pilum_types::Outcome;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How much longer than its own call might take a repeat waits for the first:
/// what a run may overrun its deadline, and then some.
const REPEAT_GRACE: Duration = Duration::from_secs(1);

/// A synchronous call under way.
pub(crate) struct Flight<'a, R: Runtime, S: Store> {
    pub(crate) core: &'a Core<R, S>,
    pub(crate) run: Arc<SyncRun>,
    entry: Arc<TaskEntry<R::Prepared>>,
    phase: Phase<'a>,
}

/// What another attempt needs.
pub(crate) struct Again<R: Runtime> {
    pub(crate) prepared: Arc<R::Prepared>,
    pub(crate) attempts_max: u32,
}

enum Phase<'a> {
    /// Nobody knows of it.
    New,
    /// The ledger keeps its id.
    Claimed,
    /// It is an execution.
    Admitted(Admitted<'a>),
    /// It has ended and holds nothing.
    Over,
}

struct Admitted<'a> {
    queue_wait: Duration,
    attempts: u32,
    /// When the latest attempt began.
    began: Instant,
    _slot: SemaphorePermit<'a>,
    /// Lets the drain wait for this call.
    _token: TaskTrackerToken,
}

impl<'a, R: Runtime, S: Store> Flight<'a, R, S> {
    pub(crate) fn new(core: &'a Core<R, S>, entry: Arc<TaskEntry<R::Prepared>>, run: SyncRun) -> Self {
        Self { core, run: Arc::new(run), entry, phase: Phase::New }
    }

    /// Claims the id its caller brought. A reply is that of the execution which
    /// has the id already, for the same request; `wait` is the call's timeout.
    pub(crate) async fn claim(&mut self, wait: Duration) -> Result<Option<Reply>, RequestError> {
        let Key { tenant, id, .. } = &self.run.key;
        let exists = || RequestError::ExecutionExists { id: id.as_str().to_owned() };
        let until = Instant::now() + self.core.settings.sync.slot_wait + wait + REPEAT_GRACE;
        loop {
            let first = match self.core.ledger.claim(&self.run) {
                IdClaim::Claimed => break,
                IdClaim::Accepting => return Err(exists()),
                IdClaim::Taken(first) => first,
            };
            if first.request.is_none() || first.request != self.run.request {
                return Err(exists());
            }
            if tokio::time::timeout_at(until, first.handle.ended()).await.is_err() {
                return self.still_running(&first).map(Some);
            }
            if let Some(execution) = first.result() {
                return Ok(Some(Reply::Finished(execution)));
            }
            // The first was refused before it became an execution, so the id is free.
        }
        self.phase = Phase::Claimed;
        match self.core.store.get(tenant, id).await? {
            Some(_asynchronous) => Err(exists()),
            None => Ok(None),
        }
    }

    /// Makes the call an execution that waited for its slot for `queue_wait`.
    ///
    /// # Errors
    /// When its task has been deleted since it was looked up.
    pub(crate) fn admit(
        &mut self,
        slot: SemaphorePermit<'a>,
        queue_wait: Duration,
    ) -> Result<(), RequestError> {
        let now = Instant::now();
        self.run.admit(self.core.clock.at(now));
        if matches!(self.phase, Phase::New) {
            self.core.ledger.insert(Arc::clone(&self.run));
            self.phase = Phase::Claimed;
        }
        // Looked at once the run can be found: a deletion either finds the run
        // or is seen here.
        if self.entry.is_deleted() {
            return Err(RequestError::TaskNotFound { id: self.run.task_id.as_str().to_owned() });
        }
        self.entry.count_admitted();
        self.phase = Phase::Admitted(Admitted {
            queue_wait,
            attempts: 0,
            began: now,
            _slot: slot,
            _token: self.core.tracker.token(),
        });
        Ok(())
    }

    /// How many attempts have begun.
    pub(crate) fn attempts(&self) -> u32 {
        match &self.phase {
            Phase::Admitted(admitted) => admitted.attempts,
            Phase::New | Phase::Claimed | Phase::Over => 0,
        }
    }

    /// Records that an attempt begins, at `now` or, the first, at the admission.
    pub(crate) fn begin_attempt(&mut self, now: Option<Instant>) -> Instant {
        let Phase::Admitted(admitted) = &mut self.phase else { return Instant::now() };
        admitted.attempts += 1;
        admitted.began = now.unwrap_or(admitted.began);
        self.run.begin_attempt(admitted.attempts, self.core.clock.at(admitted.began));
        admitted.began
    }

    /// Records how the attempt ended, which is now.
    pub(crate) fn end_attempt(&mut self, outcome: &Outcome, cancelled: bool) -> Instant {
        let now = Instant::now();
        if let Phase::Admitted(admitted) = &self.phase {
            let took = now.saturating_duration_since(admitted.began);
            self.run.end_attempt(outcome, took);
            self.core.counters.add_guest_time(outcome.usage.guest);
            if !cancelled {
                self.core.learn(&self.entry, &self.run.function, took);
            }
        }
        now
    }

    /// Records the end, frees what the call held, and tells those who wait.
    pub(crate) fn end(&mut self, mut outcome: Outcome, at: Instant) -> Arc<Execution> {
        let at = self.core.clock.at(at);
        if let Phase::Admitted(admitted) = std::mem::replace(&mut self.phase, Phase::Over) {
            outcome.usage.queue_wait = admitted.queue_wait;
            outcome.usage.attempt = admitted.attempts;
        }
        let bytes = weight::record(Some(&outcome), self.run.request.as_deref());
        let execution = self.run.end(outcome, at);
        self.core.ledger.ended(&self.run, at, bytes);
        self.core.count_ended(Some(&self.entry), &execution.tenant, &execution.function, execution.state, at);
        self.run.handle.end();
        self.core.watchers.publish(&execution);
        execution
    }

    /// The answer to a repeat whose own time is up before the first has ended.
    fn still_running(&self, first: &SyncRun) -> Result<Reply, RequestError> {
        let slots = self.core.settings.sync.max_concurrent_requests;
        let retry_after = self.core.retry_after(slots);
        let execution = first.view().ok_or(RequestError::NoSlot { slots, retry_after })?;
        let mean = self.entry.runs().mean(&self.run.function).unwrap_or_default();
        Ok(Reply::Pending { execution, estimate: estimate::until_end(mean, Duration::ZERO, 0, 1) })
    }
}

impl<R: Runtime, S: Store> Drop for Flight<'_, R, S> {
    fn drop(&mut self) {
        match self.phase {
            Phase::New | Phase::Over => {}
            Phase::Claimed => {
                self.core.ledger.release(&self.run);
                self.run.handle.end();
            }
            Phase::Admitted(_) => {
                let outcome = cancelled("the caller went away");
                let now = self.end_attempt(&outcome, true);
                self.end(outcome, now);
            }
        }
    }
}
