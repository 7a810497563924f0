//! Having the store keep a task before anything refers to it.

use crate::core::Core;
use crate::registry::Reservation;
use crate::{RequestError, Runtime, Store};
use std::sync::Arc;
use tokio::sync::MutexGuard;

/// A new task is in the store, and its call about to be admitted. Other calls
/// that would register a task wait meanwhile.
#[derive(Debug)]
pub(crate) struct Kept<'a>(MutexGuard<'a, ()>);

impl<R: Runtime, S: Store> Core<R, S> {
    /// Has the store keep the task of a call that would register it; `None` if
    /// another call has registered it meanwhile. Should the call be dropped from now on, the
    /// task is registered: the store may have done it though nobody heard the
    /// answer.
    pub(crate) async fn keep(
        &self,
        reservation: &mut Reservation<'_, R::Prepared>,
    ) -> Result<Option<Kept<'_>>, RequestError> {
        let kept = Kept(self.keeping.lock().await);
        if reservation.entry.is_registered() {
            return Ok(None);
        }
        reservation.register_on_drop(true);
        let task = Arc::clone(&reservation.entry.task);
        if let Err(error) = self.store.put_task(&task).await {
            reservation.register_on_drop(false);
            return Err(error.into());
        }
        Ok(Some(kept))
    }

    /// The call was not admitted: the store forgets its task again, unless
    /// another call has registered it.
    pub(crate) async fn unkeep(
        &self,
        kept: Option<Kept<'_>>,
        reservation: &mut Reservation<'_, R::Prepared>,
    ) -> Result<(), RequestError> {
        let Some(Kept(_held)) = kept else { return Ok(()) };
        let task = &reservation.entry.task;
        if !reservation.entry.is_registered() {
            self.store.remove_task(&task.tenant, &task.id).await?;
            reservation.register_on_drop(false);
        }
        Ok(())
    }
}
