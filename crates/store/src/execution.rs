//! An execution as it is at one moment: this is what status, listings and results show.

use pilum_types::{
    Event, ExecutionId, Failure, FunctionName, InstanceId, Outcome, Priority, RetryClass, State, TaskId,
    TenantId,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How the caller receives the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In the response, when the call has ended.
    Sync,
    /// Later, by id.
    Async,
    /// In the response, chunk by chunk, while the function writes it.
    Stream,
    /// As an HTTP response of the task's http handler.
    Http,
}

/// An execution as it is at one moment.
// More than 12 fields, because it is a record: readers show all of them, and no code owns a
// part of them.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The function, as called.
    pub function: FunctionName,
    /// How the caller receives the result.
    pub mode: Mode,
    /// How urgent it is, compared with others that wait.
    pub priority: Priority,
    /// Its state.
    pub state: State,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
    /// Every attempt so far, the one under way included.
    pub attempts: Vec<Attempt>,
    /// How it ended; `None` until then. The outcome of a pending execution that was
    /// cancelled names no instance.
    pub outcome: Option<Arc<Outcome>>,
    /// Whether it is a dead letter: it FAILED with its retries spent, another run might
    /// not fail, and it was neither redriven nor discarded.
    pub is_dead_letter: bool,
    /// Its place among the executions that wait, from 1, an estimate; `None` while it does
    /// not wait.
    pub queue_position: Option<usize>,
}

/// One line of a listing: an execution without its result and its log.
// More than 12 fields, because it is a record, as `Execution` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: ExecutionId,
    /// The task.
    pub task_id: TaskId,
    /// The function, as called.
    pub function: FunctionName,
    /// How the caller receives the result.
    pub mode: Mode,
    /// How urgent it is, compared with others that wait.
    pub priority: Priority,
    /// Its state.
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
    /// The time from the start of the first attempt to the end; zero until the end.
    pub fn duration(&self) -> Duration {
        duration(self.started_at, self.completed_at)
    }

    /// The event that ends an execution whose last attempt has this outcome.
    pub fn end_event(outcome: &Outcome) -> Event {
        match &outcome.result {
            Ok(_) => Event::Complete,
            Err(failure) => {
                let Some(event) = Event::ending_in(failure.code.state()) else {
                    unreachable!("every failure code has a terminal state")
                };
                event
            }
        }
    }

    /// The state in which a running execution ends if its last attempt has this outcome.
    pub fn end_state(outcome: &Outcome) -> State {
        let Ok(state) = State::Running.after(Self::end_event(outcome)) else {
            unreachable!("every end event is legal in the state RUNNING")
        };
        state
    }

    /// Whether an execution with this outcome becomes a dead letter: it failed, and another
    /// run might not fail.
    pub fn is_dead_letter_outcome(outcome: &Outcome) -> bool {
        let may_pass = outcome.result.as_ref().is_err_and(|f| f.code.retry_class() == RetryClass::Maybe);
        may_pass && Self::end_state(outcome) == State::Failed
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

impl Attempt {
    /// Records how the attempt ended.
    pub fn end(&mut self, failure: Option<&Failure>, took: Duration) {
        self.took = Some(took);
        self.failure = failure.cloned();
    }
}

impl Summary {
    /// The time from the start of the first attempt to the end; zero until the end.
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
