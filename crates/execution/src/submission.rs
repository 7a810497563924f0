//! What was asked for, as it is kept to be run later.

use crate::{Execution, Mode};
use pilum_types::{ExecutionId, FunctionName, Parameter, Priority, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What was asked for, as it is kept to be run later and to recognise a repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The execution's id.
    pub id: ExecutionId,
    /// Whose it is.
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
    /// Whether an instance that served an earlier call must not be used.
    pub force_new_instance: bool,
    /// When it is to run.
    pub schedule: Schedule,
    /// Where its terminal status is sent to.
    pub callback: Option<Arc<str>>,
}

/// When an asynchronous execution is to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Before which others.
    pub priority: Priority,
    /// Not before this time.
    pub not_before: Option<SystemTime>,
    /// Its result is of no use after this time: it ends TIMEOUT then, and
    /// without being run where it could not end before.
    pub deadline: Option<SystemTime>,
}

impl Submission {
    /// The execution it becomes, as it stands when it is accepted at `now`.
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
