//! Asynchronous executions: they are submitted to the store, claimed by the dispatcher, and
//! run by workers.
//!
//! `submit` stores a call; `dispatch` claims executions in batches; `worker` runs one and
//! records its end; `due_timer` wakes the dispatcher when an execution becomes due; `retention`
//! removes executions whose retention is over; `dead_letters` and `callbacks` handle ended
//! executions.

mod callbacks;
mod dead_letters;
mod dispatch;
mod dispatch_state;
mod due_timer;
mod in_flight;
pub(crate) mod retention;
mod submit;
mod worker;

pub use callbacks::Callbacks;
pub use dead_letters::DeadLetters;

use crate::Runtime;
use crate::cancel::handle::CancelHandles;
use crate::ctx::Ctx;
use crate::lifecycle::Lifecycle;
use crate::observe::observer::Observer;
use crate::sync::executions::SyncExecutions;
use crate::tasks::Tasks;
use dispatch_state::DispatchState;
use due_timer::DueTimer;
use std::sync::Arc;
use tokio::sync::Notify;

/// Submits, dispatches and runs asynchronous executions.
#[derive(Debug)]
pub(crate) struct Queue<R: Runtime, S> {
    pub(crate) ctx: Arc<Ctx<R, S>>,
    tasks: Arc<Tasks<R, S>>,
    lifecycle: Arc<Lifecycle>,
    observer: Arc<Observer>,
    sync_executions: Arc<SyncExecutions>,
    callbacks: Arc<Callbacks<R, S>>,
    /// Stops asynchronous runs.
    pub(crate) cancel_handles: CancelHandles,
    dispatch: DispatchState,
    /// Wakes the dispatcher when an execution becomes due.
    due_timer: DueTimer,
    /// Tells the dispatcher that an execution waits or that a runner is free. A wake during a
    /// claim is not lost.
    wake: Notify,
}

impl<R: Runtime, S> Queue<R, S> {
    pub(crate) fn new(
        ctx: Arc<Ctx<R, S>>,
        tasks: Arc<Tasks<R, S>>,
        lifecycle: Arc<Lifecycle>,
        observer: Arc<Observer>,
        sync_executions: Arc<SyncExecutions>,
        callbacks: Arc<Callbacks<R, S>>,
    ) -> Self {
        let dispatch = DispatchState::new(ctx.settings.asynchronous.max_concurrent_executions);
        Self {
            ctx,
            tasks,
            lifecycle,
            observer,
            sync_executions,
            callbacks,
            cancel_handles: CancelHandles::default(),
            dispatch,
            due_timer: DueTimer::default(),
            wake: Notify::new(),
        }
    }

    /// Starts no more attempts.
    pub(crate) fn close(&self) {
        self.dispatch.runners.close();
    }
}
