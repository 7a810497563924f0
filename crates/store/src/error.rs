//! The error of a store.

use pilum_types::ExecutionId;

/// Why an operation of a store failed. The operation has changed nothing then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The fence is not the one of the latest claim. The worker must drop its work.
    #[error("this worker no longer holds the lease of {0}")]
    LeaseLost(ExecutionId),
    /// The storage is full. The text says which part of it.
    #[error("the storage is full: {0}")]
    StorageFull(String),
    /// The storage failed. The text is for the host's log.
    #[error("the store failed: {0}")]
    Failed(String),
}
