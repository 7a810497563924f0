//! A cache of ended asynchronous executions: those that ended or were read a moment ago. An
//! ended execution changes only when its dead letter is discarded, which removes it here.

use crate::{Execution, Expiry};
use moka::sync::Cache;
use pilum_store::size_estimate;
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;

/// The size of the cache in bytes: some 50,000 small results.
const MAX_BYTES: u64 = 64 << 20;

/// A bounded cache of ended executions.
#[derive(Debug)]
pub(crate) struct FinishedCache {
    cache: Cache<(TenantId, ExecutionId), Arc<Execution>>,
}

impl Default for FinishedCache {
    fn default() -> Self {
        let weigh = |_: &(TenantId, ExecutionId), execution: &Arc<Execution>| {
            u32::try_from(size_estimate(execution.outcome.as_deref(), None)).unwrap_or(u32::MAX)
        };
        Self { cache: Cache::builder().weigher(weigh).max_capacity(MAX_BYTES).build() }
    }
}

impl FinishedCache {
    /// An execution whose retention is not over.
    pub(crate) fn get(&self, tenant: &TenantId, id: &ExecutionId, expiry: Expiry) -> Option<Arc<Execution>> {
        let found = self.cache.get(&(tenant.clone(), id.clone()))?;
        let bound = if found.is_dead_letter { expiry.dead_letters_before } else { expiry.ended_before };
        found.completed_at.is_some_and(|at| at >= bound).then_some(found)
    }

    /// Adds an execution if it has ended.
    pub(crate) fn insert(&self, execution: &Arc<Execution>) {
        if execution.state.is_terminal() {
            self.cache.insert((execution.tenant.clone(), execution.id.clone()), Arc::clone(execution));
        }
    }

    /// Removes an execution.
    pub(crate) fn remove(&self, tenant: &TenantId, id: &ExecutionId) {
        self.cache.invalidate(&(tenant.clone(), id.clone()));
    }

    /// Removes all executions. This is cheaper than a search for those of one task.
    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
    }
}
