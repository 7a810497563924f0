//! Stores a new task before anything refers to it.

use super::Tasks;
use super::entry::TaskEntry;
use super::registry::Reservation;
use crate::{RequestError, Runtime, Store, Task};
use std::sync::Arc;
use tokio::sync::MutexGuard;

/// A new task is stored, and its call is about to be admitted. While this lives, other calls
/// that would register a task wait.
#[derive(Debug)]
pub(crate) struct PersistedTask<'a>(MutexGuard<'a, ()>);

impl<R: Runtime, S: Store> Tasks<R, S> {
    /// Stores the task of a call that would register it; `None` if another call has
    /// registered it in the meantime. If the call is dropped after this, the task becomes
    /// registered: the store may have stored it although the call did not see the answer.
    pub(crate) async fn persist(
        &self,
        reservation: &mut Reservation<'_, R::Prepared>,
    ) -> Result<Option<PersistedTask<'_>>, RequestError> {
        let persisted = PersistedTask(self.registering.lock().await);
        if reservation.entry.is_registered() {
            return Ok(None);
        }
        self.put_reserved(reservation).await?;
        Ok(Some(persisted))
    }

    /// Removes the stored task of a call that was not admitted, unless another call has
    /// registered it.
    pub(crate) async fn unpersist(
        &self,
        persisted: Option<PersistedTask<'_>>,
        reservation: &mut Reservation<'_, R::Prepared>,
    ) -> Result<(), RequestError> {
        let Some(PersistedTask(_held)) = persisted else { return Ok(()) };
        let task = &reservation.entry.task;
        if !reservation.entry.is_registered() {
            self.ctx.store.remove_task(&task.tenant, &task.id).await?;
            reservation.register_on_drop(false);
        }
        Ok(())
    }

    /// Stores and registers the new task of a deployment. The caller holds `registering`.
    pub(super) async fn register(&self, task: Task) -> Result<Arc<TaskEntry<R::Prepared>>, RequestError> {
        let mut reservation = self.reserve_new(task)?;
        self.put_reserved(&mut reservation).await?;
        reservation.register();
        Ok(Arc::clone(&reservation.entry))
    }

    /// Stores a reserved task. Until the store has refused, a drop registers the task.
    async fn put_reserved(&self, reservation: &mut Reservation<'_, R::Prepared>) -> Result<(), RequestError> {
        reservation.register_on_drop(true);
        if let Err(error) = self.ctx.store.put_task(&reservation.entry.task).await {
            reservation.register_on_drop(false);
            return Err(error.into());
        }
        Ok(())
    }
}
