//! Synchronous calls: a call runs in its caller's own future.
//!
//! No task is spawned and no channel is used. If the caller goes away, the future is
//! dropped, the guest stops, and the drop of [`SyncCallGuard`](guard::SyncCallGuard) frees
//! what the call held. `invoke` admits a call and `attempts` runs it; `execution` and
//! `executions` hold its record in memory; `stream` and `http` pass its output on while it
//! runs.

mod attempts;
mod body;
pub(crate) mod execution;
pub(crate) mod executions;
mod guard;
mod http;
mod invoke;
mod io;
mod key;
mod stream;

pub use http::HttpReply;
pub use stream::{Chunk, StreamingCall};

use crate::ctx::Ctx;
use crate::lifecycle::Lifecycle;
use crate::observe::observer::Observer;
use crate::tasks::Tasks;
use crate::{RequestError, Runtime};
use executions::SyncExecutions;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::Instant;

/// Runs synchronous calls.
#[derive(Debug)]
pub(crate) struct SyncCalls<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    tasks: Arc<Tasks<R, S>>,
    lifecycle: Arc<Lifecycle>,
    observer: Arc<Observer>,
    executions: Arc<SyncExecutions>,
    /// One permit for each call that may run. The drain closes it, which refuses the calls
    /// that wait and all later ones.
    slots: Semaphore,
}

impl<R: Runtime, S> SyncCalls<R, S> {
    pub(crate) fn new(
        ctx: Arc<Ctx<R, S>>,
        tasks: Arc<Tasks<R, S>>,
        lifecycle: Arc<Lifecycle>,
        observer: Arc<Observer>,
        executions: Arc<SyncExecutions>,
    ) -> Self {
        let slots = ctx.settings.sync.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        Self { ctx, tasks, lifecycle, observer, executions, slots: Semaphore::new(slots) }
    }

    /// Admits no more calls.
    pub(crate) fn close(&self) {
        self.slots.close();
    }

    /// How many slots are taken.
    pub(crate) fn slots_in_use(&self) -> usize {
        self.ctx.settings.sync.max_concurrent_requests.saturating_sub(self.slots.available_permits())
    }

    /// Waits for a slot, at most for the configured time. Returns the slot and the wait.
    async fn slot(&self) -> Result<(SemaphorePermit<'_>, Duration), RequestError> {
        match self.slots.try_acquire() {
            Ok(slot) => return Ok((slot, Duration::ZERO)),
            Err(TryAcquireError::Closed) => return Err(RequestError::Draining),
            Err(TryAcquireError::NoPermits) => {}
        }
        let began = Instant::now();
        match tokio::time::timeout(self.ctx.settings.sync.slot_wait, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok((slot, began.elapsed())),
            Ok(Err(_closed)) => Err(RequestError::Draining),
            Err(_elapsed) => Err(self.no_slot()),
        }
    }

    fn no_slot(&self) -> RequestError {
        let slots = self.ctx.settings.sync.max_concurrent_requests;
        RequestError::NoSlot { slots, retry_after: self.observer.retry_after(slots) }
    }
}

#[cfg(test)]
mod tests;
