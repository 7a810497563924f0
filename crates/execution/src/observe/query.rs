//! Reads synchronous and asynchronous executions as if they were stored in one place.

use super::observer::Observer;
use super::stats::Stats;
use crate::ctx::Ctx;
use crate::sync::SyncCalls;
use crate::sync::executions::SyncExecutions;
use crate::tasks::Tasks;
use crate::{Execution, ListQuery, RequestError, Runtime, Store, Summary};
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;

/// Reads executions and counters. Every look-up takes a tenant: the execution of another
/// tenant looks like an unknown one.
#[derive(Debug)]
pub struct Query<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    tasks: Arc<Tasks<R, S>>,
    sync: Arc<SyncCalls<R, S>>,
    sync_executions: Arc<SyncExecutions>,
    pub(super) observer: Arc<Observer>,
}

impl<R: Runtime, S: Store> Query<R, S> {
    pub(crate) fn new(
        ctx: Arc<Ctx<R, S>>,
        tasks: Arc<Tasks<R, S>>,
        sync: Arc<SyncCalls<R, S>>,
        sync_executions: Arc<SyncExecutions>,
        observer: Arc<Observer>,
    ) -> Self {
        Self { ctx, tasks, sync, sync_executions, observer }
    }

    /// An execution as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn execution(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        if let Some(execution) = self.sync_executions.get(tenant, id).and_then(|run| run.view()) {
            return Ok(Some(execution));
        }
        let expiry = self.ctx.settings.asynchronous.expiry(self.ctx.clock.now());
        if let Some(execution) = self.observer.finished.get(tenant, id, expiry) {
            return Ok(Some(execution));
        }
        let found = self.ctx.store.get(tenant, id).await?.map(Arc::new);
        if let Some(execution) = &found {
            self.observer.finished.insert(execution);
        }
        Ok(found)
    }

    /// A tenant's executions in ascending order of id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Summary>, RequestError> {
        let mut all = self.sync_executions.list(tenant, query);
        all.extend(self.ctx.store.list(tenant, query).await?);
        // The list has two sorted runs, which this sort merges.
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.truncate(query.limit);
        Ok(all)
    }

    /// The counters now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stats(&self) -> Result<Stats, RequestError> {
        let store = self.ctx.store.stats().await?;
        let in_use = self.sync.slots_in_use();
        Ok(Stats {
            uptime: self.ctx.clock.uptime(),
            tasks: self.tasks.len() as u64,
            running: (in_use + store.running) as u64,
            sync_slots_in_use: in_use as u64,
            pending: store.pending as u64,
            store,
            ..self.observer.counters.read()
        })
    }

    /// How many executions of each function of this tenant have ended: the most called
    /// functions first, at most `limit`. A host counts 10,000 functions one by one, and all
    /// others together as `other`.
    pub fn calls_by_function(&self, tenant: &TenantId, limit: usize) -> Vec<(String, u64)> {
        self.observer.function_counters.top(tenant, limit)
    }
}

#[cfg(test)]
mod tests;
