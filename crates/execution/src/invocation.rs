//! A request to call a function, in the domain's words.

use crate::{Mode, Schedule, TaskSpec};
use pilum_types::{ExecutionId, FunctionName, Parameter, TaskId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// A request to call a function. Made by the gateway; every field is checked
/// except against the host's bounds and the function's type.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Who asks.
    pub tenant: TenantId,
    /// Whose function.
    pub target: Target,
    /// Which function.
    pub function: FunctionName,
    /// With what.
    pub parameters: Vec<Parameter>,
    /// How the result is wanted.
    pub mode: Mode,
    /// An id the caller brings, which makes the submission idempotent.
    pub execution_id: Option<ExecutionId>,
    /// `None` takes the default of the mode.
    pub timeout: Option<Duration>,
    /// `None` takes the default of the mode.
    pub max_retries: Option<u32>,
    /// Environment variables for the guest.
    pub environment: Arc<[(String, String)]>,
    /// Whether an instance that served an earlier call must not be used.
    pub force_new_instance: bool,
    /// When an asynchronous execution is to run. Not for synchronous calls.
    pub schedule: Schedule,
    /// Where the terminal status of an asynchronous execution is sent to.
    pub callback: Option<Arc<str>>,
}

/// Whose function is called.
#[derive(Debug, Clone)]
pub enum Target {
    /// NEW_TASK: the task is registered if its name is free.
    New(TaskSpec),
    /// EXISTING_TASK: the task with this id, or, where it is unknown and a spec
    /// is given, a new one.
    Existing {
        /// The id.
        id: TaskId,
        /// What to register when the id is unknown (`create_if_not_exists`).
        otherwise: Option<TaskSpec>,
    },
}
