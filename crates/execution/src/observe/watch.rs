//! Watches an execution: every change of its state, and its log lines.

use super::query::Query;
use super::watchers::{Subscription, Update};
use crate::{Execution, RequestError, Runtime, Store};
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How long a watcher waits for an update before it reads the execution. This host does
/// not announce changes that another host makes.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// The updates about one execution, until it has ended. See [`Query::watch`].
#[derive(Debug)]
pub struct Watch<R: Runtime, S: Store> {
    query: Arc<Query<R, S>>,
    subscription: Subscription,
    /// The execution in the latest update.
    last: Option<Arc<Execution>>,
    /// The execution at the beginning, until it has been returned.
    first: Option<Arc<Execution>>,
}

impl<R: Runtime, S: Store> Watch<R, S> {
    /// The next update: first the execution as it is, then its changes, last its end, then `None`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next(&mut self) -> Result<Option<Update>, RequestError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(self.changed(first)));
        }
        loop {
            if self.last.as_ref().is_none_or(|last| last.state.is_terminal()) {
                return Ok(None);
            }
            match tokio::time::timeout(POLL_EVERY, self.subscription.updates.recv()).await {
                Ok(Ok(Update::Changed(execution))) if self.is_new(&execution) => {
                    return Ok(Some(self.changed(execution)));
                }
                Ok(Ok(Update::Changed(_))) => {}
                Ok(Ok(update)) => return Ok(Some(update)),
                Ok(Err(RecvError::Lagged(missed))) => return Ok(Some(Update::Missed(missed))),
                Err(_) | Ok(Err(RecvError::Closed)) => {
                    let Some(execution) = self.read().await? else { return Ok(None) };
                    if self.is_new(&execution) {
                        return Ok(Some(self.changed(execution)));
                    }
                }
            }
        }
    }

    async fn read(&self) -> Result<Option<Arc<Execution>>, RequestError> {
        let (tenant, id) = &self.subscription.key;
        self.query.execution(tenant, id).await
    }

    fn changed(&mut self, execution: Arc<Execution>) -> Update {
        self.last = Some(Arc::clone(&execution));
        Update::Changed(execution)
    }

    /// Whether the execution has advanced since the latest update.
    fn is_new(&self, execution: &Execution) -> bool {
        let step = |e: &Execution| (e.attempts_begun(), e.attempts.last().is_some_and(|a| a.took.is_some()));
        self.last.as_ref().is_none_or(|last| execution.state.is_terminal() || step(execution) > step(last))
    }
}

impl<R: Runtime, S: Store> Query<R, S> {
    /// Watches an execution: its state now, every change, its log lines, and its end. `None` if
    /// there is no such execution.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn watch(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Watch<R, S>>, RequestError> {
        // Subscribed before the execution is read, so that no change in between is missed.
        let subscription = self.observer.watchers.subscribe((tenant.clone(), id.clone()));
        let first = self.execution(tenant, id).await?;
        Ok(first.map(|first| Watch { query: Arc::clone(self), subscription, last: None, first: Some(first) }))
    }

    /// The execution when it has ended, or as it is after `timeout`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wait(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &ExecutionId,
        timeout: Duration,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        let Some(mut watch) = self.watch(tenant, id).await? else { return Ok(None) };
        let ended = async {
            while watch.next().await?.is_some() {}
            Ok::<_, RequestError>(())
        };
        // A timeout is no error here: the execution is read below in both cases.
        if let Ok(failed) = tokio::time::timeout(timeout, ended).await {
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
