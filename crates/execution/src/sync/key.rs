//! The key of a synchronous execution, with its hash.

use pilum_types::{ExecutionId, TenantId};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// The tenant and the id of an execution, hashed once.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) id: ExecutionId,
    /// The hash of both. A call is inserted, counted as ended and evicted by it.
    hash: u64,
}

impl Key {
    pub(crate) fn new(tenant: TenantId, id: ExecutionId) -> Self {
        /// The hash is keyed, since clients choose ids.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = HASHER.hash_one((&tenant, &id));
        Self { tenant, id, hash }
    }

    /// The hash of the tenant and the id.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.id == other.id && self.tenant == other.tenant
    }
}
