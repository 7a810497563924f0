//! One synchronous execution, from its claim of an id to its end.

use crate::handle::Handle;
use crate::key::Key;
use crate::lock::lock;
use crate::{Attempt, Execution, Mode, Submission};
use pilum_types::{Failure, FunctionName, Outcome, Priority, State, TaskId};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// A synchronous execution as the ledger keeps it.
#[derive(Debug)]
pub(crate) struct SyncRun {
    /// Whose, and which.
    pub(crate) key: Key,
    /// The task.
    pub(crate) task_id: TaskId,
    /// The function, as called.
    pub(crate) function: FunctionName,
    /// How the caller wants the result.
    pub(crate) mode: Mode,
    /// What was asked for, where it is needed again: to recognise a repeat, or
    /// to try again.
    pub(crate) request: Option<Box<Submission>>,
    /// Stops it, and tells its end.
    pub(crate) handle: Handle,
    /// Written by the call, read by whoever asks how it stands; held for a copy.
    progress: Mutex<Progress>,
}

#[derive(Debug)]
enum Progress {
    /// It has an id and no slot, and is nobody else's business yet.
    Claimed,
    Running {
        since: SystemTime,
        attempts: Vec<Attempt>,
    },
    Ended(Arc<Execution>),
}

impl SyncRun {
    /// A run that is not admitted yet.
    pub(crate) fn new(
        key: Key,
        task_id: TaskId,
        function: FunctionName,
        mode: Mode,
        request: Option<Box<Submission>>,
    ) -> Self {
        let progress = Mutex::new(Progress::Claimed);
        Self { key, task_id, function, mode, request, handle: Handle::default(), progress }
    }

    /// Records that it was admitted.
    pub(crate) fn admit(&self, now: SystemTime) {
        *lock(&self.progress) = Progress::Running { since: now, attempts: Vec::with_capacity(1) };
    }

    /// Records that attempt `number` begins.
    pub(crate) fn begin_attempt(&self, number: u32, now: SystemTime) {
        if let Progress::Running { attempts, .. } = &mut *lock(&self.progress) {
            attempts.push(Attempt { number, started_at: now, took: None, failure: None, instance: None });
        }
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
            Progress::Claimed => (now, Vec::new()),
            Progress::Ended(execution) => return Arc::clone(execution),
        };
        let state = Execution::end_state(&outcome);
        let ended = self.execution(state, since, attempts);
        let ended =
            Arc::new(Execution { completed_at: Some(now), outcome: Some(Arc::new(outcome)), ..ended });
        *progress = Progress::Ended(Arc::clone(&ended));
        ended
    }

    /// The execution as it stands; `None` while it is not admitted.
    pub(crate) fn view(&self) -> Option<Arc<Execution>> {
        match &*lock(&self.progress) {
            Progress::Claimed => None,
            Progress::Running { since, attempts } => {
                Some(Arc::new(self.execution(State::Running, *since, attempts.clone())))
            }
            Progress::Ended(execution) => Some(Arc::clone(execution)),
        }
    }

    /// The execution with its end; `None` until then.
    pub(crate) fn result(&self) -> Option<Arc<Execution>> {
        match &*lock(&self.progress) {
            Progress::Ended(execution) => Some(Arc::clone(execution)),
            Progress::Claimed | Progress::Running { .. } => None,
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
            Self::Claimed => State::Pending,
            Self::Running { .. } => State::Running,
            Self::Ended(execution) => execution.state,
        }
    }
}

impl Attempt {
    /// Fills in how the attempt ended.
    pub(crate) fn end(&mut self, failure: Option<&Failure>, took: Duration) {
        self.took = Some(took);
        self.failure = failure.cloned();
    }
}
