//! One stored execution, and the rules by which it changes. The state itself changes only
//! by [`pilum_types::State::after`].

use crate::{
    Admission, Attempt, AttemptEnd, Execution, Fence, LOST_WORKERS_MAX, Lease, StoreError, Submission,
};
use pilum_types::{Event, ExecutionId, Failure, FailureCode, InstanceId, Outcome};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long an id that a client supplied stays known, however long its result is stored.
pub const CLIENT_SUPPLIED_ID_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// One stored execution.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number in the store. Submissions are counted; the lower number runs first.
    pub number: u64,
    /// The caller's request. It never changes.
    pub submission: Submission,
    /// The execution as it is now.
    pub execution: Execution,
    /// While it waits: it may not start before this time.
    pub not_before: Option<SystemTime>,
    /// After this time it can no longer end before its deadline.
    pub latest_start: Option<SystemTime>,
    /// How often it was claimed. This is the token of the latest claim.
    pub claims: u32,
    /// How many workers were lost while they ran it.
    pub lost_workers: u32,
    /// Whether the client supplied the id.
    pub client_supplied_id: bool,
    /// Whether its result has expired, so that only the request and its id are still stored.
    pub expired: bool,
    /// The id under which a dead letter was, or will be, submitted again.
    pub redriven_as: Option<ExecutionId>,
}

impl Record {
    /// A new record of a submission that is accepted at `now`.
    pub fn new(submission: Submission, admission: &Admission, now: SystemTime, number: u64) -> Self {
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
            client_supplied_id: admission.client_supplied_id,
            expired: false,
            redriven_as: None,
        }
    }

    /// The token of its latest claim.
    pub fn token(&self) -> u64 {
        self.claims.into()
    }

    /// Whether it is a poison execution: it ends if one more worker is lost with it.
    pub fn is_poison(&self) -> bool {
        self.lost_workers + 1 >= LOST_WORKERS_MAX
    }

    /// Records that an attempt begins, and returns the lease for it.
    ///
    /// # Errors
    /// When the state of the execution does not allow it.
    pub fn claim(&mut self, now: SystemTime) -> Result<Lease, StoreError> {
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

    /// Records that the attempt of the latest claim has not begun.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn hand_back(&mut self) -> Result<(), StoreError> {
        self.advance(Event::Requeue)?;
        self.execution.attempts.pop();
        if self.execution.attempts.is_empty() {
            self.execution.started_at = None;
        }
        Ok(())
    }

    /// Records that the attempt under way failed and that another attempt follows.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn retry_later(
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

    /// Records that the worker of the attempt under way is lost. The execution waits
    /// again, or fails if its attempts are spent or too many workers were lost with it.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn lose(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let failure = Failure::new(FailureCode::WorkerLost, "the worker did not report back");
        self.lost_workers += 1;
        let spent = self.execution.attempts_begun() > self.submission.max_retries;
        if spent || self.lost_workers >= LOST_WORKERS_MAX {
            self.finish(Arc::new(Outcome::failed(failure)), now)
        } else {
            self.retry_later(&failure.into(), now, now)
        }
    }

    /// Records that the attempt under way ended, and the execution with it.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn finish(&mut self, outcome: Arc<Outcome>, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Execution::end_event(&outcome))?;
        self.end_attempt(outcome.result.as_ref().err(), outcome.instance.as_ref(), now);
        self.end(outcome, now);
        Ok(())
    }

    /// Records that it was cancelled while it waited.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn cancel(&mut self, reason: &str, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Event::Cancel)?;
        self.end(Arc::new(Outcome::cancelled(reason)), now);
        Ok(())
    }

    /// Records that it can no longer end before its deadline.
    ///
    /// # Errors
    /// See [`claim`](Self::claim).
    pub fn end_late(&mut self, now: SystemTime) -> Result<(), StoreError> {
        self.advance(Event::Expire)?;
        let message = "it could no longer end before its deadline, so it was not run";
        self.end(Arc::new(Outcome::failed(Failure::new(FailureCode::DeadlineExceeded, message))), now);
        Ok(())
    }

    /// Whether its id must stay known at `now` although its result has expired.
    pub fn is_id_kept(&self, now: SystemTime) -> bool {
        self.client_supplied_id && self.execution.accepted_at + CLIENT_SUPPLIED_ID_RETENTION > now
    }

    /// Removes its result, its log and its attempts. The request stays, so that a repeated
    /// submission is recognised.
    pub fn expire(&mut self) {
        self.expired = true;
        self.execution.is_dead_letter = false;
        self.execution.outcome = None;
        self.execution.attempts.clear();
    }

    fn end(&mut self, outcome: Arc<Outcome>, now: SystemTime) {
        self.not_before = None;
        self.execution.completed_at = Some(now);
        self.execution.is_dead_letter = Execution::is_dead_letter_outcome(&outcome);
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
