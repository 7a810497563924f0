//! What a synchronous execution is found by.

use pilum_types::{ExecutionId, TenantId};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// Whose execution, and which.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) id: ExecutionId,
    /// Of both, made once: a call is put in, counted as ended and evicted by it.
    hash: u64,
}

impl Key {
    pub(crate) fn new(tenant: TenantId, id: ExecutionId) -> Self {
        /// Keyed, since clients choose ids.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = HASHER.hash_one((&tenant, &id));
        Self { tenant, id, hash }
    }

    /// Made once, of both.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.id == other.id && self.tenant == other.tenant
    }
}
