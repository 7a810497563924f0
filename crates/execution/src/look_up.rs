//! Looking executions up: those of both doors, as if they were kept in one place.

use crate::core::Core;
use crate::{Execution, ListQuery, RequestError, Runtime, Stats, Store, Summary};
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;

impl<R: Runtime, S: Store> Core<R, S> {
    /// An execution as it stands.
    pub(crate) async fn execution(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Execution>>, RequestError> {
        if let Some(execution) = self.ledger.get(tenant, id).and_then(|run| run.view()) {
            return Ok(Some(execution));
        }
        if let Some(execution) = self.finished.get(tenant, id, self.expiry(self.clock.now())) {
            return Ok(Some(execution));
        }
        let found = self.store.get(tenant, id).await?.map(Arc::new);
        if let Some(execution) = &found {
            self.finished.keep(execution);
        }
        Ok(found)
    }

    /// Executions in ascending order of id.
    pub(crate) async fn list_executions(
        &self,
        tenant: &TenantId,
        query: &ListQuery,
    ) -> Result<Vec<Summary>, RequestError> {
        let mut all = self.ledger.list(tenant, query);
        all.extend(self.store.list(tenant, query).await?);
        // Two sorted runs, which this sort merges.
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.truncate(query.limit);
        Ok(all)
    }

    /// The counters now.
    pub(crate) async fn stats(&self) -> Result<Stats, RequestError> {
        let depth = self.store.depth().await?;
        let slots = self.settings.sync.max_concurrent_requests;
        let in_use = slots.saturating_sub(self.slots.available_permits());
        Ok(Stats {
            uptime: self.clock.uptime(),
            tasks: self.tasks.len() as u64,
            running: (in_use + depth.running) as u64,
            sync_slots_in_use: in_use as u64,
            pending: depth.pending as u64,
            store: depth,
            ..self.counters.read()
        })
    }
}

#[cfg(test)]
mod tests;
