//! The face of this crate: everything the gateway can ask for.

use crate::{Execution, Invocation, ListQuery, Refusal, Runtime, Settings, Stats, Store, Task};
use pilum_types::{ExecutionId, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// How an invocation was answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A synchronous call has ended.
    Finished(Arc<Execution>),
    /// An asynchronous execution is accepted (or was before).
    Accepted {
        /// As it stands.
        execution: Arc<Execution>,
        /// How long until it ends, from what the function's runs took and what
        /// waits in front of it.
        estimate: Duration,
    },
}

/// What a cancellation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is CANCELLED now.
    Done,
    /// It runs, and only `force` stops a running one.
    NeedsForce,
    /// It had ended in this state.
    AlreadyEnded(State),
    /// There is none.
    Unknown,
}

/// What a deletion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The task is gone, and so many of its executions with it.
    Done {
        /// Executions forgotten.
        cleaned_executions: usize,
    },
    /// Executions wait or run, and only `force` deletes then (they are cancelled).
    Busy {
        /// How many.
        active: usize,
    },
    /// There is none.
    Unknown,
}

/// What listings and details show of a task.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The task.
    pub task: Arc<Task>,
    /// How many executions it has had.
    pub execution_count: u64,
    /// How the latest one that ended did; `None` before the first.
    pub last_state: Option<State>,
    /// When the latest one ended, or the registration.
    pub updated_at: std::time::SystemTime,
}

/// Tasks and executions of all tenants.
#[derive(Debug)]
pub struct Executions<R, S> {
    runtime: R,
    store: S,
    settings: Settings,
}

impl<R: Runtime, S: Store> Executions<R, S> {
    /// Starts the workers. Must be called inside a tokio runtime.
    pub fn start(runtime: R, store: S, settings: Settings) -> Arc<Self> {
        todo!()
    }

    /// The bounds in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Answers a call: runs it here, in this future, or accepts it.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Reply, Refusal> {
        todo!()
    }

    /// An execution as it stands.
    pub async fn execution(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Execution>>, Refusal> {
        todo!()
    }

    /// Executions in ascending order of id.
    pub async fn list_executions(
        &self,
        tenant: &TenantId,
        query: &ListQuery,
    ) -> Result<Vec<Arc<Execution>>, Refusal> {
        todo!()
    }

    /// Cancels an execution; a running one only with `force`.
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<Cancelled, Refusal> {
        todo!()
    }

    /// Tasks whose names begin with `prefix`, in ascending order of name, after `start_after`.
    pub fn list_tasks(
        &self,
        tenant: &TenantId,
        prefix: &str,
        start_after: &str,
        limit: usize,
    ) -> Vec<TaskView> {
        todo!()
    }

    /// One task.
    pub fn task(&self, tenant: &TenantId, id: &TaskId) -> Option<TaskView> {
        todo!()
    }

    /// Unregisters a task.
    pub async fn delete_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<Deleted, Refusal> {
        todo!()
    }

    /// The counters now.
    pub async fn stats(&self) -> Result<Stats, Refusal> {
        todo!()
    }

    /// Executions that ended, by function, of this tenant: the most called first, at most `limit`.
    pub fn calls_by_function(&self, tenant: &TenantId, limit: usize) -> Vec<(String, u64)> {
        todo!()
    }

    /// Whether new work is taken.
    pub fn is_draining(&self) -> bool {
        todo!()
    }

    /// Takes no new work, lets what runs end for at most `bound`, then stops it.
    pub async fn drain(&self, bound: Duration) {
        todo!()
    }
}
