//! Wakes a worker when something becomes due, so that idle workers need no
//! timers of their own and do not all ask the store at once.

use crate::core::Core;
use crate::lock::lock;
use crate::{Runtime, Store};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long idle workers go without asking the store. Work may come to a store
/// that is shared with other hosts without this one hearing of it.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// The next moment at which a worker should look for work.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// Held to read or write the moment.
    at: Mutex<Option<Instant>>,
    /// Tells the alarm's loop that the moment has moved.
    moved: Notify,
}

impl Alarm {
    /// Has a worker woken at `at`, or before.
    pub(crate) fn set(&self, at: Instant) {
        let mut next = lock(&self.at);
        if next.is_none_or(|next| at < next) {
            *next = Some(at);
            self.moved.notify_one();
        }
    }

    fn next(&self) -> Option<Instant> {
        *lock(&self.at)
    }

    fn clear(&self) {
        *lock(&self.at) = None;
    }
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs until the drain.
    pub(crate) async fn ring(&self) {
        loop {
            let at = self.alarm.next().unwrap_or_else(|| Instant::now() + ASK_AGAIN);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.alarm.moved.notified() => {}
                () = tokio::time::sleep_until(at) => {
                    // Cleared first: the worker that wakes sets it anew if it
                    // finds something that is due later.
                    self.alarm.clear();
                    self.wake.notify_one();
                }
            }
        }
    }
}
