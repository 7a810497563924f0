//! A request of an asynchronous caller, as it is stored.

use crate::{Execution, Mode};
use pilum_types::{ExecutionId, FunctionName, Parameter, Priority, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A request of an asynchronous caller. It is stored so that it can run later, and so that a
/// repeated request is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The execution's id.
    pub id: ExecutionId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The function.
    pub function: FunctionName,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Environment variables for the guest.
    pub environment: Arc<[(String, String)]>,
    /// The timeout of each attempt.
    pub timeout: Duration,
    /// How many attempts may follow the first.
    pub max_retries: u32,
    /// Forbids an instance that has served another call.
    pub force_new_instance: bool,
    /// When it may run.
    pub schedule: Schedule,
    /// The URL that receives its terminal status.
    pub callback: Option<Arc<str>>,
}

/// When an asynchronous execution may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How urgent it is, compared with others that wait.
    pub priority: Priority,
    /// It may not start before this time.
    pub not_before: Option<SystemTime>,
    /// Its result has no use after this time. It ends TIMEOUT then; if it could not end
    /// before this time, it ends TIMEOUT without running.
    pub deadline: Option<SystemTime>,
}

impl Submission {
    /// The pending execution of this submission, accepted at `now`.
    pub fn pending(&self, now: SystemTime) -> Execution {
        Execution {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            task_id: self.task_id.clone(),
            function: self.function.clone(),
            mode: Mode::Async,
            priority: self.schedule.priority,
            state: State::Pending,
            accepted_at: now,
            started_at: None,
            completed_at: None,
            attempts: Vec::new(),
            outcome: None,
            is_dead_letter: false,
            queue_position: None,
        }
    }
}
