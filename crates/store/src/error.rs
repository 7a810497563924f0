//! Why a store cannot do what it was asked to do.

use pilum_types::ExecutionId;

/// A store that cannot do what it was asked to do. Nothing has changed then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The fence is not the one of the latest claim. The worker must drop its work.
    #[error("the lease of {0} is no longer this worker's")]
    LeaseLost(ExecutionId),
    /// The storage is full. The text says which part of it.
    #[error("the storage is full: {0}")]
    StorageFull(String),
    /// The storage failed. The text is for the host's log.
    #[error("the store failed: {0}")]
    Failed(String),
}
