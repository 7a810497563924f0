//! A timer that wakes the dispatcher when an execution becomes due.

use pilum_store::lock::lock;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest time between two claims of the dispatcher. Another host may put work into a
/// shared store without this host's knowledge.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// The next moment at which the dispatcher should look for work.
#[derive(Debug, Default)]
pub(super) struct DueTimer {
    /// Locked to read or to write the moment.
    at: Mutex<Option<Instant>>,
    /// Tells the timer's loop that the moment has changed.
    changed: Notify,
}

impl DueTimer {
    /// Wakes the dispatcher at `at` or earlier.
    pub(super) fn set(&self, at: Instant) {
        let mut next = lock(&self.at);
        if next.is_none_or(|next| at < next) {
            *next = Some(at);
            self.changed.notify_one();
        }
    }

    /// Wakes the dispatcher through `wake` whenever the moment has come, until `stop`.
    pub(super) async fn run(&self, stop: &CancellationToken, wake: &Notify) {
        loop {
            let at = self.next().unwrap_or_else(|| Instant::now() + POLL_EVERY);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(at) => {
                    // Cleared before the wake: the dispatcher sets the timer again if an
                    // execution becomes due later.
                    self.clear();
                    wake.notify_one();
                }
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        *lock(&self.at)
    }

    fn clear(&self) {
        *lock(&self.at) = None;
    }
}
