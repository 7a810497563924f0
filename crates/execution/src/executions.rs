//! The face of this crate: everything the gateway can ask for.

use crate::core::{Core, unwinding};
use crate::{
    Callback, DeployResult, Execution, HttpReply, HttpRequest, Invocation, ListQuery, Mode, RequestError,
    Runtime, Settings, Stats, Store, StoreError, StreamingCall, Summary, Task, TaskDescription, TaskSpec,
    UploadedArtifact, Watch,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use pilum_types::{ExecutionId, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// How an invocation was answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A synchronous call has ended.
    Finished(Arc<Execution>),
    /// An asynchronous execution is accepted (or was before). Also the answer
    /// to a repeat of a synchronous call whose own time is up while the first
    /// still runs.
    Pending {
        /// As it stands.
        execution: Arc<Execution>,
        /// How long until it ends, from what the function's runs took and what
        /// waits in front of it.
        estimate: Duration,
    },
}

/// What a cancellation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelResult {
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
pub enum DeleteResult {
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
pub struct Executions<R: Runtime, S> {
    pub(crate) core: Arc<Core<R, S>>,
}

impl<R: Runtime, S: Store> Executions<R, S> {
    /// Takes up the tasks that the store has kept, and begins to run what waits
    /// in it. Must be called inside a tokio runtime; blocks for some microseconds
    /// for each task.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(runtime: R, store: S, settings: Settings) -> Result<Arc<Self>, StoreError> {
        let core = Arc::new(Core::new(runtime, store, settings));
        let mut to_warm = Vec::new();
        for task in core.store.tasks()? {
            let entry = core.tasks.restore(task);
            entry.retain(|| core.runtime.retain(&entry.task));
            if entry.task.spec.policy.instances.idle_min > 0 {
                to_warm.push(entry);
            }
        }
        core.spawn();
        if !to_warm.is_empty() {
            let warming = Arc::clone(&core);
            let warm = async move {
                tokio::select! {
                    () = warming.stop.cancelled() => {}
                    () = warming.warm_all(to_warm) => {}
                }
            };
            drop(core.tracker.spawn(warm));
        }
        Ok(Arc::new(Self { core }))
    }

    /// Waits for a failure of the store after which nothing more can be
    /// promised, and says which. The process must end then.
    pub async fn broken(&self) -> String {
        self.core.store.broken().await
    }

    /// The bounds in force.
    pub fn settings(&self) -> &Settings {
        &self.core.settings
    }

    /// Answers a call: runs it here, in this future, or accepts it. Dropping
    /// the future stops a synchronous call and frees what it held.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Reply, RequestError> {
        let core = &self.core;
        let reply = unwinding(async move {
            match invocation.mode {
                _ if core.is_draining() => Err(RequestError::Draining),
                Mode::Sync | Mode::Stream => core.invoke_sync(invocation, None).await,
                Mode::Async => Box::pin(core.invoke_async(invocation)).await,
            }
        });
        // A panic must not reach the connection that carries other calls too.
        let reply = reply.await.unwrap_or_else(|text| Err(RequestError::Internal(text)));
        if reply.is_err() {
            self.core.counters.count_refused();
        }
        reply
    }

    /// Answers a call with its output as it is written. Dropping the answer stops
    /// the call.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn stream(&self, invocation: Invocation) -> Result<StreamingCall, RequestError> {
        let invocation = Invocation { mode: Mode::Stream, ..invocation };
        self.counted(Box::pin(self.core.invoke_stream(invocation))).await
    }

    /// Has a task's http handler answer a request. Of the invocation, the function
    /// only names the execution, and there are no parameters.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn handle(
        &self,
        invocation: Invocation,
        request: HttpRequest,
    ) -> Result<HttpReply, RequestError> {
        self.counted(Box::pin(self.core.handle(invocation, request))).await
    }

    async fn counted<T>(
        &self,
        answer: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let answer = if self.core.is_draining() { Err(RequestError::Draining) } else { answer.await };
        if answer.is_err() {
            self.core.counters.count_refused();
        }
        answer
    }

    /// Makes `spec` the task of its name: a new task, or a new revision of the one
    /// that has it. Calls that run finish with the revision they began with.
    ///
    /// # Errors
    /// When its code cannot be made ready, its policy asks for more than the host
    /// grants, or the store fails. Nothing has changed then.
    pub async fn deploy(&self, tenant: &TenantId, spec: TaskSpec) -> Result<DeployResult, RequestError> {
        self.core.deploy(tenant, spec).await
    }

    /// Puts an earlier revision of a task in force again: the one with this number,
    /// or the one before the present one.
    ///
    /// # Errors
    /// As for [`deploy`](Self::deploy), and when there is no such revision.
    pub async fn rollback(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        number: Option<u32>,
    ) -> Result<DeployResult, RequestError> {
        self.core.rollback(tenant, id, number).await
    }

    /// Keeps an artifact's bytes, so that a task can be deployed from them.
    ///
    /// # Errors
    /// When they are too many, do not come whole, or cannot be kept.
    pub async fn upload(
        &self,
        bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> Result<UploadedArtifact, RequestError> {
        Ok(self.core.runtime.upload(bytes).await?)
    }

    /// Tells what a task's code is. Makes it ready for that.
    ///
    /// # Errors
    /// When there is no such task, or its code cannot be made ready.
    pub async fn describe(&self, tenant: &TenantId, id: &TaskId) -> Result<TaskDescription, RequestError> {
        self.core.describe(tenant, id).await
    }

    /// The task with this name.
    pub fn task_named(&self, tenant: &TenantId, name: &str) -> Option<TaskView> {
        self.core.tasks.named(tenant, name).map(|entry| entry.view())
    }

    /// An execution as it stands; another tenant's is as good as none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn execution(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        self.core.execution(tenant, id).await
    }

    /// Executions in ascending order of id, of both modes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_executions(
        &self,
        tenant: &TenantId,
        query: &ListQuery,
    ) -> Result<Vec<Summary>, RequestError> {
        self.core.list_executions(tenant, query).await
    }

    /// Follows an execution: how it stands, every change, what it writes, and
    /// how it ends. `None` if there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn watch(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Watch<R, S>>, RequestError> {
        self.core.watch(tenant, id).await
    }

    /// An execution once it has ended; or as it stands after `patience`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wait(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        patience: Duration,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        self.core.wait(tenant, id, patience).await
    }

    /// Runs a dead letter's call anew, under a new id, which is returned; `None`
    /// if there is no such dead letter. Asked again, it does so once.
    ///
    /// # Errors
    /// When the call is not accepted; the dead letter stays then.
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<ExecutionId>, RequestError> {
        self.core.redrive(tenant, id).await
    }

    /// Takes a dead letter off the list of them; false if there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn discard(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, RequestError> {
        self.core.discard(tenant, id).await
    }

    /// Waits until a callback is due and takes it, to be delivered and answered
    /// with [`callback_tried`](Self::callback_tried). One that is taken and not
    /// answered comes again after a restart.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next_callback(&self) -> Result<Callback, RequestError> {
        self.core.next_callback().await
    }

    /// Says how a callback went: whether another try could help. Returns whether
    /// one follows.
    ///
    /// # Errors
    /// When the store fails; the callback comes again after a restart.
    pub async fn callback_tried(&self, callback: &Callback, again: bool) -> Result<bool, RequestError> {
        self.core.callback_tried(callback, again).await
    }

    /// Cancels an execution; a running one only with `force`, and then it has
    /// ended when this returns. Of `reason` at most 1,024 bytes are kept.
    ///
    /// # Errors
    /// When the store fails, or what runs has not stopped within 5 seconds.
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, RequestError> {
        self.core.cancel(tenant, id, reason, force).await
    }

    /// Tasks whose names begin with `prefix`, in ascending order of name, after `start_after`.
    pub fn list_tasks(
        &self,
        tenant: &TenantId,
        prefix: &str,
        start_after: &str,
        limit: usize,
    ) -> Vec<TaskView> {
        self.core.tasks.list(tenant, prefix, start_after, limit)
    }

    /// One task.
    pub fn task(&self, tenant: &TenantId, id: &TaskId) -> Option<TaskView> {
        self.core.tasks.get(tenant, id).map(|entry| entry.view())
    }

    /// Unregisters a task. With `force` its executions that wait or run are
    /// cancelled; with `cleanup_executions` those that ended are forgotten.
    ///
    /// # Errors
    /// When the store fails; the task may be unregistered all the same.
    pub async fn delete_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<DeleteResult, RequestError> {
        self.core.delete_task(tenant, id, force, cleanup_executions).await
    }

    /// The counters now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stats(&self) -> Result<Stats, RequestError> {
        self.core.stats().await
    }

    /// Executions that ended, by function, of this tenant: the most called
    /// first, at most `limit`. A host counts 10,000 functions one by one, and
    /// all others together as `other`.
    pub fn calls_by_function(&self, tenant: &TenantId, limit: usize) -> Vec<(String, u64)> {
        self.core.calls.top(tenant, limit)
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.core.is_draining()
    }

    /// Takes no new work, lets what runs end for at most `bound`, then stops
    /// it: synchronous calls end CANCELLED, asynchronous executions go back to
    /// the store for the next start. Returns at most some seconds after `bound`.
    pub async fn drain(&self, bound: Duration) {
        self.core.drain(bound).await;
    }
}

impl<R: Runtime, S> Drop for Executions<R, S> {
    /// What was spawned goes too; what it ran is handed back to the store.
    fn drop(&mut self) {
        self.core.shut();
    }
}

#[cfg(test)]
mod tests;
