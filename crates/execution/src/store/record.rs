//! One execution as a store on one machine keeps it, and the rules by which it
//! changes. The state itself changes by [`pilum_types::State::after`] alone.

use super::{Admission, AttemptEnd, Fence, LOST_WORKERS_MAX, Lease, StoreError};
use crate::core::{cancelled, failed};
use crate::{Attempt, Execution, Submission};
use pilum_types::{Event, ExecutionId, Failure, FailureCode, InstanceId, Outcome};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long an id that a client brought stands for its request, whatever
/// happens to the result.
pub(crate) const ID_KEPT: Duration = Duration::from_secs(24 * 3600);

/// One execution.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Counts submissions: what came first goes first.
    pub(crate) number: u64,
    pub(crate) submission: Submission,
    pub(crate) execution: Execution,
    /// While it waits: not before this time.
    pub(crate) not_before: Option<SystemTime>,
    /// If it has not started by then, it cannot end in time.
    pub(crate) latest_start: Option<SystemTime>,
    /// How often it was claimed, which is the token of the latest claim.
    pub(crate) claims: u32,
    /// How many workers were lost with it.
    pub(crate) lost_workers: u32,
    /// Whether its id was brought by its client.
    pub(crate) brought: bool,
    /// Whether only its id is still known.
    pub(crate) expired: bool,
    /// Under which id it was, or is to be, run anew.
    pub(crate) redriven_as: Option<ExecutionId>,
}

impl Record {
    pub(crate) fn new(submission: Submission, admission: &Admission, now: SystemTime, number: u64) -> Self {
        let schedule = submission.schedule;
        let latest_start = schedule.deadline.map(|at| at.checked_sub(admission.expected).unwrap_or(at));
        Self {
            execution: submission.pending(now),
            not_before: schedule.not_before,
            latest_start,
            submission,
            number,
            claims: 0,
            lost_workers: 0,
            brought: admission.brought,
            expired: false,
            redriven_as: None,
        }
    }

    /// The token of its latest claim.
    pub(crate) fn token(&self) -> u64 {
        self.claims.into()
    }

    /// Whether one more lost worker would be one too many.
    pub(crate) fn is_suspect(&self) -> bool {
        self.lost_workers + 1 >= LOST_WORKERS_MAX
    }

    /// Records that an attempt begins.
    pub(crate) fn claim(&mut self, now: SystemTime) -> Result<Lease, StoreError> {
        self.advance(Event::Start)?;
        self.claims += 1;
        self.not_before = None;
        self.execution.started_at.get_or_insert(now);
        let number = self.execution.attempts_begun() + 1;
        let attempt = Attempt { number, started_at: now, took: None, failure: None, instance: None };
        self.execution.attempts.push(attempt);
        Ok(Lease {
            submission: self.submission.clone(),
            execution: Arc::new(self.execution.clone()),
            attempt: number,
            fence: Fence {
                tenant: self.submission.tenant.clone(),
                id: self.submission.id.clone(),
                number: self.number,
                token: self.token(),
            },
        })
    }

    /// Records that the attempt which was claimed last has not begun.
    pub(crate) fn hand_back(&mut self) -> Result<(), StoreError> {
        self.advance(Event::Requeue)?;
        self.execution.attempts.pop();
        if self.execution.attempts.is_empty() {
            self.execution.started_at = None;
        }
        Ok(())
    }

    /// Records that the attempt under way failed and another follows.
    pub(crate) fn retry_later(
        &mut self,
        ended: &AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<(), StoreError> {
        self.advance(Event::Requeue)?;
        self.end_attempt(Some(&ended.failure), ended.instance.as_ref(), now);
        self.not_before = Some(not_before);
        Ok(())
    }

    /// Records that the worker of the attempt under way is gone: the execution
    /// waits again, or has failed where that has happened too often.
    pub(crate) fn lose(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let failure = Failure::new(FailureCode::WorkerLost, "the worker was not heard of again");
        self.lost_workers += 1;
        let spent = self.execution.attempts_begun() > self.submission.max_retries;
        if spent || self.lost_workers >= LOST_WORKERS_MAX {
            self.finish(Arc::new(failed(failure)), now)
        } else {
            self.retry_later(&failure.into(), now, now)
        }
    }

    /// Records the end of the attempt under way, which is the execution's.
    pub(crate) fn finish(&mut self, outcome: Arc<Outcome>, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Execution::end_event(&outcome))?;
        self.end_attempt(outcome.result.as_ref().err(), outcome.instance.as_ref(), now);
        self.end(outcome, now);
        Ok(())
    }

    /// Records that somebody cancelled it while it waited.
    pub(crate) fn cancel(&mut self, reason: &str, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Event::Cancel)?;
        self.end(Arc::new(cancelled(reason)), now);
        Ok(())
    }

    /// Records that it can no longer end in time.
    pub(crate) fn be_late(&mut self, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Event::Expire)?;
        let message = "it could no longer end before its deadline, so it was not run";
        self.end(Arc::new(failed(Failure::new(FailureCode::DeadlineExceeded, message))), now);
        Ok(())
    }

    /// Whether its id must still be known after its result has expired.
    pub(crate) fn id_is_kept_at(&self, now: SystemTime) -> bool {
        self.brought && self.execution.accepted_at + ID_KEPT > now
    }

    /// Forgets what it returned, wrote and was given: only its id stays known.
    pub(crate) fn expire(&mut self) {
        self.expired = true;
        self.execution.is_dead_letter = false;
        self.execution.outcome = None;
        self.execution.attempts.clear();
    }

    fn end(&mut self, outcome: Arc<Outcome>, now: SystemTime) {
        self.not_before = None;
        self.execution.completed_at = Some(now);
        self.execution.is_dead_letter = Execution::ends_dead(&outcome);
        self.execution.outcome = Some(outcome);
    }

    fn end_attempt(&mut self, failure: Option<&Failure>, instance: Option<&InstanceId>, now: SystemTime) {
        if let Some(attempt) = self.execution.attempts.last_mut() {
            let took = now.duration_since(attempt.started_at).unwrap_or_default();
            attempt.end(failure, took);
            attempt.instance = instance.cloned();
        }
    }

    fn advance(&mut self, event: Event) -> Result<(), StoreError> {
        match self.execution.state.after(event) {
            Ok(state) => self.execution.state = state,
            Err(illegal) => return Err(StoreError::Failed(illegal.to_string())),
        }
        Ok(())
    }
}
