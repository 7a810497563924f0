//! A request to call a function, and the reply.

use crate::{Execution, Mode, Schedule, TaskSpec};
use pilum_types::{ExecutionId, FunctionName, Parameter, TaskId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// A request to call a function. The gateway makes it and checks every field, except against
/// the host's bounds and the function's type.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The tenant of the caller.
    pub tenant: TenantId,
    /// The task.
    pub target: Target,
    /// The function.
    pub function: FunctionName,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// How the caller receives the result.
    pub mode: Mode,
    /// An id that the client supplies. It makes the request idempotent.
    pub execution_id: Option<ExecutionId>,
    /// `None` takes the default of the mode.
    pub timeout: Option<Duration>,
    /// `None` takes the default of the mode.
    pub max_retries: Option<u32>,
    /// Environment variables for the guest.
    pub environment: Arc<[(String, String)]>,
    /// Forbids an instance that has served another call.
    pub force_new_instance: bool,
    /// When an asynchronous execution may run. Synchronous calls do not use it.
    pub schedule: Schedule,
    /// The URL that receives the terminal status of an asynchronous execution.
    pub callback: Option<Arc<str>>,
}

/// The task that a caller means.
#[derive(Debug, Clone)]
pub enum Target {
    /// NEW_TASK: the call registers the task if its name is free.
    New(TaskSpec),
    /// EXISTING_TASK: the task with this id. If the id is unknown and a spec is given, the call
    /// registers a new task.
    Existing {
        /// The id.
        id: TaskId,
        /// What to register if the id is unknown (`create_if_not_exists`).
        otherwise: Option<TaskSpec>,
    },
    /// The task with this name, or, if no task has the name, the one with this id.
    NameOrId(String),
}

/// The reply to an invocation.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A synchronous call has ended.
    Finished(Arc<Execution>),
    /// An asynchronous execution is accepted, now or before. Also the reply to a repeated
    /// synchronous call whose timeout is over while the first call still runs.
    Pending {
        /// The execution as it is now.
        execution: Arc<Execution>,
        /// How long until it ends: an estimate from the run times of the function and from the
        /// executions before it.
        estimate: Duration,
    },
}
