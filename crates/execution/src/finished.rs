//! Finished executions that somebody is likely to ask for: those that ended or
//! were read a moment ago. They are final, so what is here is what the store has.

use crate::{Execution, weight};
use moka::sync::Cache;
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;
use std::time::SystemTime;

/// What is kept, in bytes: some 50,000 small results.
const MAX_BYTES: u64 = 64 << 20;

/// A bounded cache of them.
#[derive(Debug)]
pub(crate) struct Finished {
    cache: Cache<(TenantId, ExecutionId), Arc<Execution>>,
}

impl Default for Finished {
    fn default() -> Self {
        let weigh = |_: &(TenantId, ExecutionId), execution: &Arc<Execution>| {
            u32::try_from(weight::record(execution.outcome.as_deref(), None)).unwrap_or(u32::MAX)
        };
        Self { cache: Cache::builder().weigher(weigh).max_capacity(MAX_BYTES).build() }
    }
}

impl Finished {
    /// One that ended at `since` or later.
    pub(crate) fn get(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        since: SystemTime,
    ) -> Option<Arc<Execution>> {
        let found = self.cache.get(&(tenant.clone(), id.clone()))?;
        (found.is_dead_letter || found.completed_at.is_some_and(|at| at >= since)).then_some(found)
    }

    /// Takes in an execution, if it has ended.
    pub(crate) fn keep(&self, execution: &Arc<Execution>) {
        if execution.state.is_terminal() {
            self.cache.insert((execution.tenant.clone(), execution.id.clone()), Arc::clone(execution));
        }
    }

    /// Forgets one.
    pub(crate) fn forget(&self, tenant: &TenantId, id: &ExecutionId) {
        self.cache.invalidate(&(tenant.clone(), id.clone()));
    }

    /// Forgets all: cheaper than to look for those that must go.
    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
    }
}
