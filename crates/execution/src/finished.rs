//! Finished executions that somebody is likely to ask for: those that ended or
//! were read a moment ago. They are final, so what is here is what the store has.

use crate::{Execution, Expiry, weight};
use moka::sync::Cache;
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;

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
    /// One whose time is not over.
    pub(crate) fn get(&self, tenant: &TenantId, id: &ExecutionId, expiry: Expiry) -> Option<Arc<Execution>> {
        let found = self.cache.get(&(tenant.clone(), id.clone()))?;
        let over = if found.is_dead_letter { expiry.dead_before } else { expiry.ended_before };
        found.completed_at.is_some_and(|at| at >= over).then_some(found)
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
