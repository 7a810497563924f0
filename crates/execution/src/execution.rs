//! An execution as it stands at one moment: what status, listings and results show.

use pilum_types::{Event, ExecutionId, Failure, FunctionName, InstanceId, Outcome, State, TaskId, TenantId};
use std::time::{Duration, SystemTime};

/// How the caller wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In the response.
    Sync,
    /// By id, later.
    Async,
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
    pub outcome: Option<Outcome>,
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
        match (self.started_at, self.completed_at) {
            (Some(start), Some(end)) => end.duration_since(start).unwrap_or_default(),
            _ => Duration::ZERO,
        }
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

    /// The failure it ended with, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().and_then(|outcome| outcome.result.as_ref().err())
    }
}
