//! An execution as it stands at one moment: what status, listings and results show.

use pilum_types::{
    Event, ExecutionId, Failure, FunctionName, InstanceId, Outcome, Priority, RetryClass, State, TaskId,
    TenantId,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How the caller wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In the response.
    Sync,
    /// By id, later.
    Async,
    /// In the response, while it is written.
    Stream,
}

/// An execution at one moment.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The function, as called.
    pub function: FunctionName,
    /// How the caller wants the result.
    pub mode: Mode,
    /// How urgent it is beside others that wait.
    pub priority: Priority,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
    /// Every attempt so far, the one under way included.
    pub attempts: Vec<Attempt>,
    /// How it ended; `None` until then. A pending execution that was cancelled
    /// has an outcome without an instance.
    pub outcome: Option<Arc<Outcome>>,
    /// Whether it FAILED of something that another run might not meet, with its
    /// retries spent, and nobody has redriven or discarded it yet.
    pub is_dead_letter: bool,
    /// While it waits its turn: about how many start before it does.
    pub queue_position: Option<usize>,
}

/// An execution's line in a listing: everything but what it returned and wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: ExecutionId,
    /// The task.
    pub task_id: TaskId,
    /// The function, as called.
    pub function: FunctionName,
    /// How the caller wants the result.
    pub mode: Mode,
    /// How urgent it is beside others that wait.
    pub priority: Priority,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
    /// How many attempts have begun.
    pub attempts: u32,
    /// The failure it ended with.
    pub failure: Option<Failure>,
    /// Most bytes of linear memory the last attempt's instance held at once.
    pub peak_memory_bytes: u64,
    /// See [`Execution::is_dead_letter`].
    pub is_dead_letter: bool,
}

/// One run of an execution.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub started_at: SystemTime,
    /// How long it took; `None` while it runs.
    pub took: Option<Duration>,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
    /// The instance that ran it.
    pub instance: Option<InstanceId>,
}

impl Execution {
    /// From the first attempt's start to the end, zero until then.
    pub fn duration(&self) -> Duration {
        duration(self.started_at, self.completed_at)
    }

    /// What happens to an execution whose last attempt ended so.
    pub(crate) fn end_event(outcome: &Outcome) -> Event {
        match &outcome.result {
            Ok(_) => Event::Complete,
            Err(failure) => Event::ending_in(failure.code.state()).unwrap_or(Event::Fail),
        }
    }

    /// The state a running execution is in once its last attempt ended so.
    pub(crate) fn end_state(outcome: &Outcome) -> State {
        // Whatever ends a run may happen to one that runs.
        State::Running.after(Self::end_event(outcome)).unwrap_or(State::Failed)
    }

    /// Whether one that ended so is worth another try by hand: it failed, of
    /// something that another run might not meet.
    pub(crate) fn ends_dead(outcome: &Outcome) -> bool {
        let curable = outcome.result.as_ref().is_err_and(|f| f.code.retry_class() == RetryClass::Maybe);
        curable && Self::end_state(outcome) == State::Failed
    }

    /// How many attempts have begun.
    pub fn attempts_begun(&self) -> u32 {
        self.attempts.last().map_or(0, |attempt| attempt.number)
    }

    /// Its line in a listing.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            task_id: self.task_id.clone(),
            function: self.function.clone(),
            mode: self.mode,
            priority: self.priority,
            state: self.state,
            accepted_at: self.accepted_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            attempts: self.attempts_begun(),
            failure: self.failure().cloned(),
            peak_memory_bytes: self.outcome.as_ref().map_or(0, |outcome| outcome.usage.peak_memory_bytes),
            is_dead_letter: self.is_dead_letter,
        }
    }

    /// The failure it ended with, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().and_then(|outcome| outcome.result.as_ref().err())
    }
}

impl Summary {
    /// From the first attempt's start to the end, zero until then.
    pub fn duration(&self) -> Duration {
        duration(self.started_at, self.completed_at)
    }
}

fn duration(started_at: Option<SystemTime>, completed_at: Option<SystemTime>) -> Duration {
    match (started_at, completed_at) {
        (Some(start), Some(end)) => end.duration_since(start).unwrap_or_default(),
        _ => Duration::ZERO,
    }
}
