//! The facade of this crate: it starts and drains the services, takes calls, and gives access
//! to the services.

use crate::cancel::Cancellation;
use crate::ctx::Ctx;
use crate::ctx::catch_panic::catch_panic;
use crate::deletion::Deletion;
use crate::lifecycle::Lifecycle;
use crate::observe::observer::Observer;
use crate::queue::{Callbacks, DeadLetters, Queue};
use crate::sync::SyncCalls;
use crate::sync::executions::SyncExecutions;
use crate::{
    HttpReply, HttpRequest, Invocation, Mode, Query, Reply, RequestError, Runtime, Settings, Store,
    StoreError, StreamingCall, Tasks,
};
use std::sync::Arc;
use std::time::Duration;

/// The tasks and executions of all tenants.
#[derive(Debug)]
pub struct Executions<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    lifecycle: Arc<Lifecycle>,
    observer: Arc<Observer>,
    tasks: Arc<Tasks<R, S>>,
    sync: Arc<SyncCalls<R, S>>,
    sync_executions: Arc<SyncExecutions>,
    queue: Arc<Queue<R, S>>,
    query: Arc<Query<R, S>>,
    cancellation: Arc<Cancellation<R, S>>,
    deletion: Deletion<R, S>,
    dead_letters: DeadLetters<R, S>,
    callbacks: Arc<Callbacks<R, S>>,
}

impl<R: Runtime, S: Store> Executions<R, S> {
    /// Loads the tasks of the store, and begins to run the executions that wait in it. Must be
    /// called inside a tokio runtime; blocks for some microseconds for each task.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(runtime: R, store: S, settings: Settings) -> Result<Arc<Self>, StoreError> {
        let executions = Self::new(Ctx::new(runtime, store, settings));
        let to_warm = executions.tasks.restore()?;
        executions.spawn(to_warm);
        Ok(Arc::new(executions))
    }

    /// Takes a call: runs it in this future, or submits it to run later. If the future is
    /// dropped, a synchronous call stops and frees what it held.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Reply, RequestError> {
        let reply = catch_panic(async move {
            match invocation.mode {
                _ if self.is_draining() => Err(RequestError::Draining),
                Mode::Sync | Mode::Stream | Mode::Http => self.sync.invoke(invocation, None).await,
                Mode::Async => Box::pin(self.queue.submit(invocation)).await,
            }
        });
        // A panic must not reach the connection, which carries other calls too.
        let reply = reply.await.unwrap_or_else(|text| Err(RequestError::Internal(text)));
        if reply.is_err() {
            self.observer.counters.count_refused();
        }
        reply
    }

    /// Takes a call whose output is streamed. If the stream is dropped, the call stops.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn stream(&self, invocation: Invocation) -> Result<StreamingCall, RequestError> {
        let invocation = Invocation { mode: Mode::Stream, ..invocation };
        self.counted(Box::pin(self.sync.stream(invocation))).await
    }

    /// Passes a request to a task's http handler. The invocation's function only names the
    /// execution, and its parameters are not used.
    ///
    /// # Errors
    /// When the request does not become an execution. Nothing is created then.
    pub async fn handle(
        &self,
        invocation: Invocation,
        request: HttpRequest,
    ) -> Result<HttpReply, RequestError> {
        let invocation = Invocation { mode: Mode::Http, ..invocation };
        self.counted(Box::pin(self.sync.handle(invocation, request))).await
    }

    /// Waits for a failure of the store after which it can keep no promise, and returns its
    /// text. The process must end then.
    pub async fn fatal_failure(&self) -> String {
        self.ctx.store.fatal_failure().await
    }

    /// Refuses new work, lets running executions end for at most `bound`, and then stops them:
    /// synchronous calls end CANCELLED, asynchronous executions go back to the store for the
    /// next start. Returns at most some seconds after `bound`.
    pub async fn drain(&self, bound: Duration) {
        self.close();
        if !self.lifecycle.ended_within(bound).await {
            self.lifecycle.abort.cancel();
            for execution in self.sync_executions.running(|_| true) {
                execution.cancel_handle.cancel("the host was shut down");
            }
            self.lifecycle.stopped().await;
        }
        self.lifecycle.wait_for("the runtime", self.ctx.runtime.shut_down()).await;
    }

    fn new(ctx: Ctx<R, S>) -> Self {
        let ctx = Arc::new(ctx);
        let (lifecycle, observer) = (Arc::<Lifecycle>::default(), Arc::<Observer>::default());
        let sync_executions = Arc::<SyncExecutions>::default();
        let tasks = Arc::new(Tasks::new(Arc::clone(&ctx), Arc::clone(&lifecycle)));
        let callbacks = Arc::new(Callbacks::new(Arc::clone(&ctx)));
        let sync = Arc::new(SyncCalls::new(
            Arc::clone(&ctx),
            Arc::clone(&tasks),
            Arc::clone(&lifecycle),
            Arc::clone(&observer),
            Arc::clone(&sync_executions),
        ));
        let queue = Arc::new(Queue::new(
            Arc::clone(&ctx),
            Arc::clone(&tasks),
            Arc::clone(&lifecycle),
            Arc::clone(&observer),
            Arc::clone(&sync_executions),
            Arc::clone(&callbacks),
        ));
        let cancellation =
            Arc::new(Cancellation::new(Arc::clone(&ctx), Arc::clone(&sync_executions), Arc::clone(&queue)));
        let deletion = Deletion::new(
            Arc::clone(&ctx),
            Arc::clone(&tasks),
            Arc::clone(&sync_executions),
            Arc::clone(&observer),
            Arc::clone(&cancellation),
        );
        let query = Arc::new(Query::new(
            Arc::clone(&ctx),
            Arc::clone(&tasks),
            Arc::clone(&sync),
            Arc::clone(&sync_executions),
            Arc::clone(&observer),
        ));
        let dead_letters = DeadLetters::new(Arc::clone(&queue));
        Self {
            ctx,
            lifecycle,
            observer,
            tasks,
            sync,
            sync_executions,
            queue,
            query,
            cancellation,
            deletion,
            dead_letters,
            callbacks,
        }
    }

    /// Spawns the services' background loops.
    fn spawn(&self, to_warm: Vec<Arc<crate::tasks::TaskEntry<R::Prepared>>>) {
        let tracker = &self.lifecycle.tracker;
        let queue = Arc::clone(&self.queue);
        tracker.spawn(async move { queue.run_dispatcher().await });
        let queue = Arc::clone(&self.queue);
        tracker.spawn(async move { queue.run_due_timer().await });
        let queue = Arc::clone(&self.queue);
        tracker.spawn(async move { queue.run_retention().await });
        if !to_warm.is_empty() {
            let (tasks, stop) = (Arc::clone(&self.tasks), self.lifecycle.stop.clone());
            tracker.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tasks.warm_all(to_warm) => {}
                }
            });
        }
    }

    /// Refuses a call during the drain, and counts refused calls.
    async fn counted<T>(
        &self,
        reply: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let reply = if self.is_draining() { Err(RequestError::Draining) } else { reply.await };
        if reply.is_err() {
            self.observer.counters.count_refused();
        }
        reply
    }
}

impl<R: Runtime, S> Executions<R, S> {
    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.ctx.settings
    }

    /// Finds, deploys and uploads tasks.
    pub fn tasks(&self) -> &Arc<Tasks<R, S>> {
        &self.tasks
    }

    /// Reads, lists and watches executions, and reads the counters.
    pub fn query(&self) -> &Arc<Query<R, S>> {
        &self.query
    }

    /// Cancels executions.
    pub fn cancellation(&self) -> &Cancellation<R, S> {
        &self.cancellation
    }

    /// Deletes tasks.
    pub fn deletion(&self) -> &Deletion<R, S> {
        &self.deletion
    }

    /// Executions that failed with their retries spent.
    pub fn dead_letters(&self) -> &DeadLetters<R, S> {
        &self.dead_letters
    }

    /// Callbacks that the host delivers.
    pub fn callbacks(&self) -> &Callbacks<R, S> {
        &self.callbacks
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.lifecycle.is_draining()
    }

    /// Refuses new work.
    fn close(&self) {
        self.sync.close();
        self.queue.close();
        self.lifecycle.begin_drain();
    }
}

impl<R: Runtime, S> Drop for Executions<R, S> {
    /// Stops all spawned tasks. Running executions are handed back to the store.
    fn drop(&mut self) {
        self.close();
        self.lifecycle.abort.cancel();
    }
}

#[cfg(test)]
impl<R: Runtime, S: Store> Executions<R, S> {
    pub(crate) fn ctx(&self) -> &Ctx<R, S> {
        &self.ctx
    }

    pub(crate) fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    pub(crate) fn sync_executions(&self) -> &SyncExecutions {
        &self.sync_executions
    }

    pub(crate) fn queue(&self) -> &Queue<R, S> {
        &self.queue
    }

    /// Asserts that no call holds a slot or a handle.
    pub(crate) fn assert_nothing_held(&self) {
        assert_eq!(self.sync.slots_in_use(), 0, "slots are lost");
        assert_eq!(self.sync_executions.running(|_| true).len(), 0, "synchronous executions still run");
        assert_eq!(self.queue.cancel_handles.len(), 0, "cancel handles are left");
    }
}

#[cfg(test)]
mod tests;
