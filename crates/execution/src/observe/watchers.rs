//! The watchers of executions, and the updates that they get.

use crate::Execution;
use pilum_call::LogSink;
use pilum_store::lock::lock;
use pilum_types::{ExecutionId, LogLine, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;

/// How many updates wait for a slow watcher. A slower one misses the oldest
/// updates, but not the end.
pub(super) const BUFFERED_MAX: usize = 256;

/// An update about an execution.
#[derive(Debug, Clone)]
pub enum Update {
    /// The execution changed; this is the execution now.
    Changed(Arc<Execution>),
    /// The execution wrote this log line.
    Logged(LogLine),
    /// The watcher was too slow, and this many updates are missing.
    Missed(u64),
}

/// The watchers of all executions.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// Locked for a look-up, and only while there is any watcher.
    watched: Mutex<HashMap<Key, broadcast::Sender<Update>>>,
    count: AtomicUsize,
}

type Key = (TenantId, ExecutionId);

/// A watcher's subscription. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    watchers: Arc<Watchers>,
    pub(super) key: Key,
    pub(super) updates: broadcast::Receiver<Update>,
}

impl Watchers {
    /// A sink that announces the log lines of an execution.
    pub(crate) fn log_sink(self: &Arc<Self>, tenant: &TenantId, id: &ExecutionId) -> LogSink {
        let (watchers, tenant, id) = (Arc::clone(self), tenant.clone(), id.clone());
        LogSink::new(move |line| watchers.send(&tenant, &id, || Update::Logged(line.clone())))
    }

    /// Announces a change.
    pub(crate) fn publish(&self, execution: &Arc<Execution>) {
        self.send(&execution.tenant, &execution.id, || Update::Changed(Arc::clone(execution)));
    }

    fn send(&self, tenant: &TenantId, id: &ExecutionId, update: impl FnOnce() -> Update) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let sender = lock(&self.watched).get(&(tenant.clone(), id.clone())).cloned();
        if let Some(sender) = sender {
            // The last watcher may have unsubscribed in the meantime.
            let _ = sender.send(update());
        }
    }

    pub(super) fn subscribe(self: &Arc<Self>, key: Key) -> Subscription {
        let mut watched = lock(&self.watched);
        self.count.fetch_add(1, Ordering::Release);
        let sender = watched.entry(key.clone()).or_insert_with(|| broadcast::Sender::new(BUFFERED_MAX));
        Subscription { watchers: Arc::clone(self), key, updates: sender.subscribe() }
    }
}

#[cfg(test)]
impl Watchers {
    /// Whether nobody watches anything.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.watched).is_empty() && self.count.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watched = lock(&self.watchers.watched);
        self.watchers.count.fetch_sub(1, Ordering::Release);
        if watched.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.key);
        }
    }
}
