//! Finds the task that a caller means, and prepares its code.

use super::Tasks;
use super::entry::TaskEntry;
use super::registry::Reservation;
use crate::ctx::ids;
use crate::{PrepareError, RequestError, Runtime, Store, Target, Task, TaskSpec};
use pilum_types::{TaskId, TenantId};
use std::sync::Arc;

/// A task and its code.
pub(crate) struct Resolved<P> {
    pub(crate) task: ResolvedTask<P>,
    pub(crate) prepared: Arc<P>,
}

/// The task of a call.
pub(crate) enum ResolvedTask<P> {
    /// The task is registered.
    Registered(Arc<TaskEntry<P>>),
    /// The call would register the task.
    New(Box<Task>),
}

impl<R: Runtime, S: Store> Tasks<R, S> {
    /// Finds the task of a call, or builds the one that the call would register, and prepares
    /// its code. Registers nothing.
    pub(crate) async fn resolve(
        &self,
        tenant: &TenantId,
        target: Target,
    ) -> Result<Resolved<R::Prepared>, RequestError> {
        // Rare paths are boxed, here and in other steps of a call: their state would otherwise
        // be part of the future of every call.
        match target {
            Target::New(spec) => Box::pin(self.resolve_new(tenant, None, spec)).await,
            Target::NameOrId(text) => {
                let by_id = || self.registry.get(tenant, &TaskId::parse(&text).ok()?);
                let found = self.registry.named(tenant, &text).or_else(by_id);
                self.resolve_registered(found.ok_or(RequestError::TaskNotFound { id: text })?).await
            }
            Target::Existing { id, otherwise } => match (self.registry.get(tenant, &id), otherwise) {
                (Some(entry), _) => self.resolve_registered(entry).await,
                (None, Some(spec)) => Box::pin(self.resolve_new(tenant, Some(id), spec)).await,
                (None, None) => Err(RequestError::TaskNotFound { id: id.as_str().to_owned() }),
            },
        }
    }

    /// Reserves the task of a call until the call is admitted.
    pub(crate) fn reserve(
        &self,
        found: ResolvedTask<R::Prepared>,
    ) -> Result<Reservation<'_, R::Prepared>, RequestError> {
        match found {
            ResolvedTask::Registered(entry) => Ok(self.registry.join(entry)),
            ResolvedTask::New(task) => self.reserve_new(*task),
        }
    }

    /// Reserves the name of a new task.
    pub(super) fn reserve_new(&self, task: Task) -> Result<Reservation<'_, R::Prepared>, RequestError> {
        let reservation = self.registry.reserve(task)?;
        reservation.entry.retain(|| self.ctx.runtime.retain(&reservation.entry.task));
        Ok(reservation)
    }

    /// The code of a task: the cached code, or code from the runtime.
    pub(crate) async fn code(
        &self,
        entry: &TaskEntry<R::Prepared>,
    ) -> Result<Arc<R::Prepared>, PrepareError> {
        if let Some(code) = entry.code() {
            return Ok(code);
        }
        let code = self.ctx.runtime.prepare(&entry.task.spec.source, &entry.task.spec.policy.grants).await?;
        entry.cache_code(&code);
        Ok(code)
    }

    async fn resolve_registered(
        &self,
        entry: Arc<TaskEntry<R::Prepared>>,
    ) -> Result<Resolved<R::Prepared>, RequestError> {
        let prepared = self.code(&entry).await.map_err(|error| match error {
            // The source was valid at the registration, so this is not an error of the call.
            PrepareError::InvalidSource { field: _, reason } => {
                PrepareError::Unavailable(format!("the task's artifact is no longer available: {reason}"))
            }
            other => other,
        })?;
        Ok(Resolved { task: ResolvedTask::Registered(entry), prepared })
    }

    async fn resolve_new(
        &self,
        tenant: &TenantId,
        id: Option<TaskId>,
        mut spec: TaskSpec,
    ) -> Result<Resolved<R::Prepared>, RequestError> {
        let registered = self.registry.named(tenant, spec.name.as_str());
        if let Some(entry) = registered {
            return self.resolve_named(entry, &spec).await;
        }
        let prepared = self.ctx.runtime.prepare(&spec.source, &spec.policy.grants).await?;
        let digest = self.ctx.runtime.digest(&prepared);
        spec.source.checksum = Some(digest);
        let now = self.ctx.clock.now();
        let id = id.unwrap_or_else(|| ids::task(now));
        let task = Task::new(id, tenant.clone(), spec, digest, now);
        Ok(Resolved { task: ResolvedTask::New(Box::new(task)), prepared })
    }

    /// Resolves a name that a registered task has. With the same code that task is used; with
    /// other code the call is refused, so that the registered code does not run instead.
    async fn resolve_named(
        &self,
        entry: Arc<TaskEntry<R::Prepared>>,
        spec: &TaskSpec,
    ) -> Result<Resolved<R::Prepared>, RequestError> {
        let offered = match spec.source.checksum {
            Some(checksum) => checksum,
            // The registration pinned the digest: the same location means the same task, even
            // if the location has other bytes now.
            None if spec.source.location == entry.task.spec.source.location => entry.task.digest,
            None => {
                self.ctx.runtime.digest(&*self.ctx.runtime.prepare(&spec.source, &spec.policy.grants).await?)
            }
        };
        if offered != entry.task.digest {
            let name = spec.name.clone();
            return Err(RequestError::NameTaken { name, existing: entry.task.digest, offered });
        }
        self.resolve_registered(entry).await
    }
}

#[cfg(test)]
mod tests;
