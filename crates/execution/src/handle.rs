//! How a run under way is stopped from outside, and how its end is waited for.

use crate::lock::lock;
use pilum_types::{ExecutionId, TenantId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;

/// Longest reason kept of a cancellation, in bytes: it is shown in every
/// listing of the execution.
const REASON_MAX_BYTES: usize = 1024;

/// Stands between those who run something and those who want it stopped.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    /// Set by the first who cancels.
    reason: OnceLock<String>,
    /// Wakes the run when there is a reason.
    stop: Notify,
    ended: AtomicBool,
    /// Wakes those who wait for the end.
    end: Notify,
}

impl Handle {
    /// Asks the run to stop. Of several reasons the first counts.
    pub(crate) fn cancel(&self, reason: &str) {
        let _ = self.reason.set(shortened(reason).to_owned());
        self.stop.notify_waiters();
    }

    /// Waits until somebody cancels, and says why.
    pub(crate) async fn cancelled(&self) -> &str {
        loop {
            // Listening before looking: a cancellation in between is not missed.
            let mut woken = pin!(self.stop.notified());
            woken.as_mut().enable();
            if let Some(reason) = self.reason.get() {
                return reason;
            }
            woken.await;
        }
    }

    /// Says that a run begins under a handle that may have seen another end.
    pub(crate) fn begin(&self) {
        self.ended.store(false, Ordering::Release);
    }

    /// Says that the run is over and its end recorded.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.end.notify_waiters();
    }

    /// Waits for [`end`](Self::end).
    pub(crate) async fn ended(&self) {
        let mut woken = pin!(self.end.notified());
        woken.as_mut().enable();
        if !self.ended.load(Ordering::Acquire) {
            woken.await;
        }
    }
}

/// The handles of asynchronous runs, by execution. As many as there are workers
/// and cancellations under way.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// Held for a look-up, never across an await.
    map: Mutex<HashMap<(TenantId, ExecutionId), Shared>>,
}

#[derive(Debug)]
struct Shared {
    handle: Arc<Handle>,
    users: usize,
}

/// Keeps a handle findable until dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    handles: &'a Handles,
    key: (TenantId, ExecutionId),
    /// The handle.
    pub(crate) handle: Arc<Handle>,
}

impl Handles {
    /// The handle of an execution, made if there is none. Whoever comes first,
    /// worker or canceller, the other one finds the same handle: so a
    /// cancellation that comes between a claim and its run is not lost.
    pub(crate) fn hold(&self, tenant: &TenantId, id: &ExecutionId) -> Held<'_> {
        let key = (tenant.clone(), id.clone());
        let mut map = lock(&self.map);
        let shared = map.entry(key.clone()).or_insert_with(|| Shared { handle: Arc::default(), users: 0 });
        shared.users += 1;
        Held { handles: self, key, handle: Arc::clone(&shared.handle) }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.map).len()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut map = lock(&self.handles.map);
        if let Entry::Occupied(mut shared) = map.entry(self.key.clone()) {
            shared.get_mut().users -= 1;
            if shared.get().users == 0 {
                shared.remove();
            }
        }
    }
}

fn shortened(reason: &str) -> &str {
    if reason.is_empty() {
        return "cancelled";
    }
    let end = reason.floor_char_boundary(REASON_MAX_BYTES);
    reason.get(..end).unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_cancellation_is_seen_before_and_after_it_is_waited_for() {
        let handle = Handle::default();
        assert_eq!(handle.cancelled().now_or_never(), None);
        let mut waiting = pin!(handle.cancelled());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        handle.cancel("first");
        handle.cancel("second");
        assert_eq!(waiting.await, "first");
        assert_eq!(handle.cancelled().await, "first");
    }

    #[tokio::test]
    async fn the_end_is_seen_before_and_after_it_is_waited_for() {
        let handle = Handle::default();
        let mut waiting = pin!(handle.ended());
        assert!(waiting.as_mut().now_or_never().is_none());
        handle.end();
        waiting.await;
        handle.ended().await;
    }

    #[test]
    fn a_handle_is_shared_while_anybody_holds_it() {
        let handles = Handles::default();
        let (tenant, id) = (TenantId::default(), ExecutionId::from_parts(1, 1));
        let worker = handles.hold(&tenant, &id);
        let canceller = handles.hold(&tenant, &id);
        assert!(Arc::ptr_eq(&worker.handle, &canceller.handle));
        drop(worker);
        assert_eq!(handles.len(), 1);
        drop(canceller);
        assert_eq!(handles.len(), 0);
    }

    #[test]
    fn reasons_are_cut_at_a_character() {
        assert_eq!(shortened(""), "cancelled");
        assert_eq!(shortened(&"ü".repeat(600)), "ü".repeat(512));
        assert_eq!(shortened(&format!("a{}", "ü".repeat(600))).len(), 1023);
    }
}
