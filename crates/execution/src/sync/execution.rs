//! One synchronous execution, from the claim of its id to its end.

use super::key::Key;
use crate::cancel::handle::CancelHandle;
use crate::{Attempt, Execution, Mode, Submission};
use pilum_store::lock::lock;
use pilum_types::{FunctionName, Outcome, Priority, State, TaskId};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// A synchronous execution. Only its call writes it.
#[derive(Debug)]
pub(crate) struct SyncExecution {
    /// Its tenant and its id.
    pub(crate) key: Key,
    /// The task.
    pub(crate) task_id: TaskId,
    /// The function, as called.
    pub(crate) function: FunctionName,
    /// How the caller receives the result.
    pub(crate) mode: Mode,
    /// The caller's request, if it is needed again: to recognise a repeated call, or for another
    /// attempt.
    pub(crate) submission: Option<Box<Submission>>,
    /// Cancels it, and signals its end.
    pub(crate) cancel_handle: CancelHandle,
    /// Locked to write it or to copy it.
    progress: Mutex<Progress>,
}

#[derive(Debug)]
enum Progress {
    /// The call has an id and is not admitted. No other caller sees it.
    IdClaimed,
    Running {
        since: SystemTime,
        attempts: Vec<Attempt>,
    },
    Ended(Arc<Execution>),
}

impl SyncExecution {
    /// An execution that is not admitted yet.
    pub(crate) fn new(
        key: Key,
        task_id: TaskId,
        function: FunctionName,
        mode: Mode,
        submission: Option<Box<Submission>>,
    ) -> Self {
        let progress = Mutex::new(Progress::IdClaimed);
        Self { key, task_id, function, mode, submission, cancel_handle: CancelHandle::default(), progress }
    }

    /// Records the admission.
    pub(crate) fn admit(&self, now: SystemTime) {
        *lock(&self.progress) = Progress::Running { since: now, attempts: Vec::with_capacity(1) };
    }

    /// Records that attempt `number` begins.
    pub(crate) fn begin_attempt(&self, number: u32, now: SystemTime) {
        let mut progress = lock(&self.progress);
        let Progress::Running { attempts, .. } = &mut *progress else {
            unreachable!("an attempt begins only after the admission and before the end")
        };
        attempts.push(Attempt { number, started_at: now, took: None, failure: None, instance: None });
    }

    /// Records that the attempt under way ended with `outcome`.
    pub(crate) fn end_attempt(&self, outcome: &Outcome, took: Duration) {
        if let Progress::Running { attempts, .. } = &mut *lock(&self.progress)
            && let Some(attempt) = attempts.last_mut()
        {
            attempt.end(outcome.result.as_ref().err(), took);
            attempt.instance.clone_from(&outcome.instance);
        }
    }

    /// Records the end, which is final.
    pub(crate) fn end(&self, outcome: Outcome, now: SystemTime) -> Arc<Execution> {
        let mut progress = lock(&self.progress);
        let (since, attempts) = match &mut *progress {
            Progress::Running { since, attempts } => (*since, std::mem::take(attempts)),
            Progress::IdClaimed | Progress::Ended(_) => {
                unreachable!("an execution ends once, after its admission")
            }
        };
        let state = Execution::end_state(&outcome);
        let ended = self.execution(state, since, attempts);
        let ended =
            Arc::new(Execution { completed_at: Some(now), outcome: Some(Arc::new(outcome)), ..ended });
        *progress = Progress::Ended(Arc::clone(&ended));
        ended
    }

    /// The execution as it is now; `None` while it is not admitted.
    pub(crate) fn view(&self) -> Option<Arc<Execution>> {
        match &*lock(&self.progress) {
            Progress::IdClaimed => None,
            Progress::Running { since, attempts } => {
                Some(Arc::new(self.execution(State::Running, *since, attempts.clone())))
            }
            Progress::Ended(execution) => Some(Arc::clone(execution)),
        }
    }

    /// The ended execution; `None` until it has ended.
    pub(crate) fn result(&self) -> Option<Arc<Execution>> {
        match &*lock(&self.progress) {
            Progress::Ended(execution) => Some(Arc::clone(execution)),
            Progress::IdClaimed | Progress::Running { .. } => None,
        }
    }

    /// Whether it is admitted and has not ended.
    pub(crate) fn is_running(&self) -> bool {
        lock(&self.progress).state() == State::Running
    }

    fn execution(&self, state: State, since: SystemTime, attempts: Vec<Attempt>) -> Execution {
        let Key { tenant, id, .. } = self.key.clone();
        Execution {
            id,
            tenant,
            task_id: self.task_id.clone(),
            function: self.function.clone(),
            mode: self.mode,
            priority: Priority::Normal,
            state,
            accepted_at: since,
            started_at: Some(since),
            completed_at: None,
            attempts,
            outcome: None,
            is_dead_letter: false,
            queue_position: None,
        }
    }
}

impl Progress {
    fn state(&self) -> State {
        match self {
            Self::IdClaimed => State::Pending,
            Self::Running { .. } => State::Running,
            Self::Ended(execution) => execution.state,
        }
    }
}
