//! Stops a run from outside, and waits for its end.

use pilum_store::lock::lock;
use pilum_types::{ExecutionId, TenantId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;

/// The longest stored reason of a cancellation, in bytes. Every listing of the execution shows
/// it.
const REASON_MAX_BYTES: usize = 1024;

/// Connects a run with the callers that want to stop it or wait for its end.
#[derive(Debug, Default)]
pub(crate) struct CancelHandle {
    /// Set by the first cancellation.
    reason: OnceLock<String>,
    /// Wakes the run when the reason is set.
    stop: Notify,
    ended: AtomicBool,
    /// Wakes callers that wait for the end.
    end: Notify,
}

impl CancelHandle {
    /// Asks the run to stop. Only the first of several reasons counts.
    pub(crate) fn cancel(&self, reason: &str) {
        let _ = self.reason.set(shorten_reason(reason).to_owned());
        self.stop.notify_waiters();
    }

    /// Waits for a cancellation, and returns its reason.
    pub(crate) async fn cancelled(&self) -> &str {
        loop {
            // This subscribes before it reads the reason, so it misses no cancellation in between.
            let mut woken = pin!(self.stop.notified());
            woken.as_mut().enable();
            if let Some(reason) = self.reason.get() {
                return reason;
            }
            woken.await;
        }
    }

    /// Marks the beginning of a run. The handle may have seen the end of an earlier run.
    pub(crate) fn begin(&self) {
        self.ended.store(false, Ordering::Release);
    }

    /// Marks the end of the run, after the end was recorded.
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

/// The handles of asynchronous runs, by execution. There is at most one for each worker and
/// each cancellation under way.
#[derive(Debug, Default)]
pub(crate) struct CancelHandles {
    /// Locked for a look-up, never across an await.
    map: Mutex<HashMap<(TenantId, ExecutionId), SharedHandle>>,
}

#[derive(Debug)]
struct SharedHandle {
    handle: Arc<CancelHandle>,
    users: usize,
}

/// Keeps a handle in the map until it is dropped.
#[derive(Debug)]
pub(crate) struct CancelHandleGuard<'a> {
    handles: &'a CancelHandles,
    key: (TenantId, ExecutionId),
    /// The handle.
    pub(crate) handle: Arc<CancelHandle>,
}

impl CancelHandles {
    /// The handle of an execution; it is created if there is none. The worker and a
    /// cancellation get the same handle in any order. So a cancellation between a
    /// claim and its run is not lost.
    pub(crate) fn hold(&self, tenant: &TenantId, id: &ExecutionId) -> CancelHandleGuard<'_> {
        let key = (tenant.clone(), id.clone());
        let mut map = lock(&self.map);
        let shared =
            map.entry(key.clone()).or_insert_with(|| SharedHandle { handle: Arc::default(), users: 0 });
        shared.users += 1;
        CancelHandleGuard { handles: self, key, handle: Arc::clone(&shared.handle) }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.map).len()
    }
}

impl Drop for CancelHandleGuard<'_> {
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

fn shorten_reason(reason: &str) -> &str {
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
    async fn a_cancellation_is_seen_by_earlier_and_later_waiters() {
        let handle = CancelHandle::default();
        assert_eq!(handle.cancelled().now_or_never(), None);
        let mut waiting = pin!(handle.cancelled());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        handle.cancel("first");
        handle.cancel("second");
        assert_eq!(waiting.await, "first");
        assert_eq!(handle.cancelled().await, "first");
    }

    #[tokio::test]
    async fn the_end_is_seen_by_earlier_and_later_waiters() {
        let handle = CancelHandle::default();
        let mut waiting = pin!(handle.ended());
        assert!(waiting.as_mut().now_or_never().is_none());
        handle.end();
        waiting.await;
        handle.ended().await;
    }

    #[test]
    fn a_handle_is_shared_while_a_guard_holds_it() {
        let handles = CancelHandles::default();
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
    fn reasons_are_cut_between_characters() {
        assert_eq!(shorten_reason(""), "cancelled");
        assert_eq!(shorten_reason(&"ü".repeat(600)), "ü".repeat(512));
        assert_eq!(shorten_reason(&format!("a{}", "ü".repeat(600))).len(), 1023);
    }
}
