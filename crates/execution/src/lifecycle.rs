//! The one shutdown tree: every spawned task belongs to it, and the drain waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long tasks that were stopped at the end of a drain may take to finish. Guests stop
/// within milliseconds; the store needs the rest to record the executions that are handed back.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Whether the host takes new work, and the tasks that it has spawned.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    draining: AtomicBool,
    /// The dispatcher, the timers, asynchronous runs, streamed runs, detached work, and a
    /// token for each synchronous call that runs. Closed and waited for by the drain.
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the drain begins: the dispatcher claims no more executions.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the time of the drain is over: workers hand their executions back.
    pub(crate) abort: CancellationToken,
}

impl Lifecycle {
    /// Whether new work is refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Begins the drain.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits at most `bound` until all spawned tasks have ended; false if some have not.
    pub(crate) async fn ended_within(&self, bound: Duration) -> bool {
        tokio::time::timeout(bound, self.tracker.wait()).await.is_ok()
    }

    /// Waits until all stopped tasks have ended, or logs that some have not.
    pub(crate) async fn stopped(&self) {
        self.wait_for("the executions", self.tracker.wait()).await;
    }

    /// Waits until `end`, or logs that it takes too long.
    pub(crate) async fn wait_for(&self, what: &str, end: impl Future<Output = ()>) {
        if tokio::time::timeout(STOP_WAIT, end).await.is_err() {
            let left = self.tracker.len();
            tracing::error!(what, left, "the drain is over, but this has not ended");
        }
    }
}

#[cfg(test)]
mod tests;
