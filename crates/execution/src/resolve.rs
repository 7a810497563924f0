//! From what a caller names to code that is ready.

use crate::core::Core;
use crate::registry::Reservation;
use crate::task_entry::TaskEntry;
use crate::{PrepareError, RequestError, Runtime, Store, Target, Task, TaskSpec, ids};
use pilum_types::{TaskId, TenantId};
use std::sync::Arc;

/// A task and its code.
pub(crate) struct Ready<P> {
    pub(crate) task: Found<P>,
    pub(crate) prepared: Arc<P>,
}

/// A task that a call named.
pub(crate) enum Found<P> {
    /// It is registered.
    Known(Arc<TaskEntry<P>>),
    /// It would be registered by the call.
    New(Box<Task>),
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Finds the task, or what would become it, and makes its code ready.
    /// Nothing is registered by this.
    pub(crate) async fn resolve(
        &self,
        tenant: &TenantId,
        target: Target,
    ) -> Result<Ready<R::Prepared>, RequestError> {
        // What is rare is boxed, here and wherever a call passes by: its state
        // would otherwise be part of every call's future.
        match target {
            Target::New(spec) => Box::pin(self.resolve_new(tenant, None, spec)).await,
            Target::Existing { id, otherwise } => match (self.tasks.get(tenant, &id), otherwise) {
                (Some(entry), _) => self.resolve_known(entry).await,
                (None, Some(spec)) => Box::pin(self.resolve_new(tenant, Some(id), spec)).await,
                (None, None) => Err(RequestError::TaskNotFound { id: id.as_str().to_owned() }),
            },
        }
    }

    /// Takes the call's place at its task.
    pub(crate) fn reserve(
        &self,
        found: Found<R::Prepared>,
    ) -> Result<Reservation<'_, R::Prepared>, RequestError> {
        match found {
            Found::Known(entry) => Ok(self.tasks.join(entry)),
            Found::New(task) => {
                let reservation = self.tasks.reserve(*task)?;
                reservation.entry.retain(|| self.runtime.retain(&reservation.entry.task));
                Ok(reservation)
            }
        }
    }

    /// A registered task's code: as the last call found it, or from the runtime.
    pub(crate) async fn code(
        &self,
        entry: &TaskEntry<R::Prepared>,
    ) -> Result<Arc<R::Prepared>, PrepareError> {
        if let Some(code) = entry.code() {
            return Ok(code);
        }
        let code = self.runtime.prepare(&entry.task.spec.source, &entry.task.spec.policy.grants).await?;
        entry.found_code(&code);
        Ok(code)
    }

    async fn resolve_known(
        &self,
        entry: Arc<TaskEntry<R::Prepared>>,
    ) -> Result<Ready<R::Prepared>, RequestError> {
        let prepared = self.code(&entry).await.map_err(|error| match error {
            // What was right when it was registered is no fault of this call's.
            PrepareError::InvalidSource { field: _, reason } => {
                PrepareError::Unavailable(format!("the task's artifact cannot be had any more: {reason}"))
            }
            other => other,
        })?;
        Ok(Ready { task: Found::Known(entry), prepared })
    }

    async fn resolve_new(
        &self,
        tenant: &TenantId,
        id: Option<TaskId>,
        mut spec: TaskSpec,
    ) -> Result<Ready<R::Prepared>, RequestError> {
        let taken = self.tasks.named(tenant, spec.name.as_str());
        if let Some(entry) = taken {
            return self.resolve_named(entry, &spec).await;
        }
        let prepared = self.runtime.prepare(&spec.source, &spec.policy.grants).await?;
        let digest = self.runtime.digest(&prepared);
        spec.source.checksum = Some(digest);
        let now = self.clock.now();
        let id = id.unwrap_or_else(|| ids::task(now));
        let task = Task::new(id, tenant.clone(), spec, digest, now);
        Ok(Ready { task: Found::New(Box::new(task)), prepared })
    }

    /// The name is taken: by the same code, which is then used, or by other
    /// code, which never runs in its place.
    async fn resolve_named(
        &self,
        entry: Arc<TaskEntry<R::Prepared>>,
        spec: &TaskSpec,
    ) -> Result<Ready<R::Prepared>, RequestError> {
        let offered = match spec.source.checksum {
            Some(checksum) => checksum,
            // The task's digest was pinned when it was registered: naming the
            // same place again means the same task, whatever is there by now.
            None if spec.source.location == entry.task.spec.source.location => entry.task.digest,
            None => self.runtime.digest(&*self.runtime.prepare(&spec.source, &spec.policy.grants).await?),
        };
        if offered != entry.task.digest {
            let name = spec.name.clone();
            return Err(RequestError::NameTaken { name, existing: entry.task.digest, offered });
        }
        self.resolve_known(entry).await
    }
}

#[cfg(test)]
mod tests;
