//! Following an execution: every change of its state, and what it writes.

use crate::core::Core;
use crate::lock::lock;
use crate::{Execution, RequestError, Runtime, Store};
use pilum_call::LogSink;
use pilum_types::{ExecutionId, LogLine, TenantId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// Updates kept for a watcher that is slow. One that falls further behind misses
/// log lines, but no end: it is told how the execution stands.
const BUFFERED_MAX: usize = 256;
/// How long a watcher hears nothing before it looks at the store. What other
/// hosts do to an execution is not announced here.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// News of an execution.
#[derive(Debug, Clone)]
pub enum Update {
    /// It stands like this now.
    Changed(Arc<Execution>),
    /// It wrote this.
    Logged(LogLine),
    /// It wrote more than this watcher could take; so many updates are missing.
    Missed(u64),
}

/// Who watches what.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// Held for a look-up, and only while anybody watches anything.
    watched: Mutex<HashMap<Key, broadcast::Sender<Update>>>,
    count: AtomicUsize,
}

type Key = (TenantId, ExecutionId);

/// News of one execution, until it has ended. See [`crate::Executions::watch`].
#[derive(Debug)]
pub struct Watch<R: Runtime, S: Store> {
    core: Arc<Core<R, S>>,
    seat: Seat,
    /// As it was when last told.
    last: Option<Arc<Execution>>,
    /// Told first.
    first: Option<Arc<Execution>>,
}

/// A watcher's place; given back when dropped.
#[derive(Debug)]
struct Seat {
    watchers: Arc<Watchers>,
    key: Key,
    updates: broadcast::Receiver<Update>,
}

impl Watchers {
    /// A sink that tells those who watch the execution of its log lines.
    pub(crate) fn log_sink(self: &Arc<Self>, tenant: &TenantId, id: &ExecutionId) -> LogSink {
        let (watchers, tenant, id) = (Arc::clone(self), tenant.clone(), id.clone());
        LogSink::new(move |line| watchers.send(&tenant, &id, || Update::Logged(line.clone())))
    }

    /// Tells of a change.
    pub(crate) fn publish(&self, execution: &Arc<Execution>) {
        self.send(&execution.tenant, &execution.id, || Update::Changed(Arc::clone(execution)));
    }

    fn send(&self, tenant: &TenantId, id: &ExecutionId, update: impl FnOnce() -> Update) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let sender = lock(&self.watched).get(&(tenant.clone(), id.clone())).cloned();
        if let Some(sender) = sender {
            // Those who listened may have gone meanwhile.
            let _ = sender.send(update());
        }
    }

    fn sit(self: &Arc<Self>, key: Key) -> Seat {
        let mut watched = lock(&self.watched);
        self.count.fetch_add(1, Ordering::Release);
        let sender = watched.entry(key.clone()).or_insert_with(|| broadcast::Sender::new(BUFFERED_MAX));
        Seat { watchers: Arc::clone(self), key, updates: sender.subscribe() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut watched = lock(&self.watchers.watched);
        self.watchers.count.fetch_sub(1, Ordering::Release);
        if watched.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            watched.remove(&self.key);
        }
    }
}

impl<R: Runtime, S: Store> Watch<R, S> {
    /// The next news: first how it stands, last how it ended, then `None`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next(&mut self) -> Result<Option<Update>, RequestError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(self.tell(first)));
        }
        loop {
            if self.last.as_ref().is_none_or(|last| last.state.is_terminal()) {
                return Ok(None);
            }
            match tokio::time::timeout(LOOK_EVERY, self.seat.updates.recv()).await {
                Ok(Ok(Update::Changed(execution))) if self.is_news(&execution) => {
                    return Ok(Some(self.tell(execution)));
                }
                Ok(Ok(Update::Changed(_))) => {}
                Ok(Ok(update)) => return Ok(Some(update)),
                Ok(Err(RecvError::Lagged(missed))) => return Ok(Some(Update::Missed(missed))),
                Err(_) | Ok(Err(RecvError::Closed)) => {
                    let Some(execution) = self.look().await? else { return Ok(None) };
                    if self.is_news(&execution) {
                        return Ok(Some(self.tell(execution)));
                    }
                }
            }
        }
    }

    async fn look(&self) -> Result<Option<Arc<Execution>>, RequestError> {
        let (tenant, id) = &self.seat.key;
        self.core.execution(tenant, id).await
    }

    fn tell(&mut self, execution: Arc<Execution>) -> Update {
        self.last = Some(Arc::clone(&execution));
        Update::Changed(execution)
    }

    /// Whether it stands otherwise than when last told, and not as before that.
    fn is_news(&self, execution: &Execution) -> bool {
        let step = |e: &Execution| (e.attempts_begun(), e.attempts.last().is_some_and(|a| a.took.is_some()));
        self.last.as_ref().is_none_or(|last| execution.state.is_terminal() || step(execution) > step(last))
    }
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Follows an execution; `None` if there is none.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Watch<R, S>>, RequestError> {
        // Seated before it is looked at, so that nothing in between is missed.
        let seat = self.watchers.sit((tenant.clone(), id.clone()));
        let first = self.execution(tenant, id).await?;
        Ok(first.map(|first| Watch { core: Arc::clone(self), seat, last: None, first: Some(first) }))
    }

    /// An execution once it has ended, or as it stands after `patience`.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &ExecutionId,
        patience: Duration,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        let Some(mut watch) = self.watch(tenant, id).await? else { return Ok(None) };
        let ended = async {
            while watch.next().await?.is_some() {}
            Ok::<_, RequestError>(())
        };
        // Not in time is as good: it is looked at either way.
        if let Ok(failed) = tokio::time::timeout(patience, ended).await {
            failed?;
        }
        match &watch.last {
            Some(last) if last.state.is_terminal() => Ok(Some(Arc::clone(last))),
            _ => self.execution(tenant, id).await,
        }
    }
}

#[cfg(test)]
mod tests;
