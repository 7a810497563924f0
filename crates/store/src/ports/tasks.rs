//! Registered tasks.

use crate::{StoreError, Task};
use pilum_types::{TaskId, TenantId};
use std::sync::Arc;

/// Stores registered tasks.
pub trait TaskStore: Send + Sync + 'static {
    /// Stores a task durably. It replaces the task with the same id.
    fn put_task(&self, task: &Arc<Task>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes a task durably.
    fn remove_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All stored tasks. A host calls this once, when it starts, before anything else runs.
    /// So this may block.
    ///
    /// # Errors
    /// When the tasks cannot be read.
    fn tasks(&self) -> Result<Vec<Task>, StoreError>;
}
