//! Deploys tasks: registers new ones, makes new revisions, and activates earlier revisions
//! again.
//!
//! A running call stays with the revision that it began with. A waiting execution runs with the
//! revision that is active when it is claimed.

use super::Tasks;
use super::entry::TaskEntry;
use super::policy::check_policy;
use crate::ctx::ids;
use crate::ctx::limits::call_limits;
use crate::{RequestError, Revision, Runtime, Store, Task, TaskSpec};
use pilum_types::{Description, TaskId, TenantId};
use std::sync::Arc;

/// How many revisions of a task are stored besides the active one.
const OTHER_REVISIONS_MAX: usize = 10;

/// A task and the description of its code.
#[derive(Debug, Clone)]
pub struct TaskDescription {
    /// The task.
    pub task: Arc<Task>,
    /// The description of its code.
    pub description: Description,
}

/// The result of a deployment.
#[derive(Debug, Clone)]
pub struct DeployResult {
    /// The task after the deployment.
    pub task: Arc<Task>,
    /// Whether the deployment changed the task.
    pub changed: bool,
}

impl<R: Runtime, S: Store> Tasks<R, S> {
    /// Deploys `spec` under its name: as a new task, or as a new revision of the task that has
    /// the name. Changes nothing if the task has the same spec already. Running calls stay
    /// with the revision that they began with.
    ///
    /// # Errors
    /// When its code cannot be prepared, when its policy asks for more than the host grants,
    /// or when the store fails. Nothing has changed then.
    pub async fn deploy(
        self: &Arc<Self>,
        tenant: &TenantId,
        mut spec: TaskSpec,
    ) -> Result<DeployResult, RequestError> {
        check_policy(&self.ctx.settings, &spec.policy)?;
        let prepared = self.ctx.runtime.prepare(&spec.source, &spec.policy.grants).await?;
        let digest = self.ctx.runtime.digest(&prepared);
        spec.source.checksum = Some(digest);
        let (tasks, tenant) = (Arc::clone(self), tenant.clone());
        self.run_detached(async move { tasks.activate(tenant, spec, &prepared).await }).await
    }

    /// Makes an earlier revision active again: the one with this number, or the one before the
    /// active one.
    ///
    /// # Errors
    /// As for [`deploy`](Self::deploy), and when there is no such revision.
    pub async fn rollback(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &TaskId,
        number: Option<u32>,
    ) -> Result<DeployResult, RequestError> {
        let revision = self.revision(tenant, id, number)?;
        // The host may have lower limits now, or the artifact may be missing.
        check_policy(&self.ctx.settings, &revision.spec.policy)?;
        let prepared = self.ctx.runtime.prepare(&revision.spec.source, &revision.spec.policy.grants).await?;
        let (tasks, tenant, id) = (Arc::clone(self), tenant.clone(), id.clone());
        let number = revision.number;
        self.run_detached(async move { tasks.reactivate(&tenant, &id, number, &prepared).await }).await
    }

    /// Runs `work` to its end even if the caller stops waiting: a task that the store has
    /// stored must be in the registry too.
    async fn run_detached(
        &self,
        work: impl Future<Output = Result<DeployResult, RequestError>> + Send + 'static,
    ) -> Result<DeployResult, RequestError> {
        if self.lifecycle.is_draining() {
            return Err(RequestError::Draining);
        }
        let done = self.lifecycle.tracker.spawn(work).await;
        done.unwrap_or_else(|error| Err(RequestError::Internal(error.to_string())))
    }

    async fn activate(
        &self,
        tenant: TenantId,
        spec: TaskSpec,
        prepared: &Arc<R::Prepared>,
    ) -> Result<DeployResult, RequestError> {
        // Held to the end, so that deployments run one after the other.
        let _registering = self.registering.lock().await;
        let (now, digest) = (self.ctx.clock.now(), self.ctx.runtime.digest(prepared));
        let (entry, is_new) = match self.registry.named(&tenant, spec.name.as_str()) {
            Some(entry) => (entry, false),
            None => {
                let task = Task::new(ids::task(now), tenant, spec.clone(), digest, now);
                (self.register(task).await?, true)
            }
        };
        let current = &entry.task;
        // A call may have registered the same code with the default policy a moment ago.
        if current.digest == digest && is_equal_but_for_source(&current.spec, &spec) {
            self.warm(current, prepared);
            return Ok(DeployResult { task: Arc::clone(current), changed: is_new });
        }
        let number = current.last_number().saturating_add(1);
        let revision = Revision { number, spec, digest, deployed_at: now };
        let task = self.replace(current.with_revision(revision, OTHER_REVISIONS_MAX)).await?;
        self.warm(&task, prepared);
        Ok(DeployResult { task, changed: true })
    }

    async fn reactivate(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        number: u32,
        prepared: &Arc<R::Prepared>,
    ) -> Result<DeployResult, RequestError> {
        let _registering = self.registering.lock().await;
        // The revision may have been removed while its code was prepared.
        let revision = self.revision(tenant, id, Some(number))?;
        let entry = self.registry.get(tenant, id).ok_or_else(|| unknown(id))?;
        if entry.task.revision == number {
            return Ok(DeployResult { task: Arc::clone(&entry.task), changed: false });
        }
        let task = self.replace(entry.task.with_revision(revision, OTHER_REVISIONS_MAX)).await?;
        self.warm(&task, prepared);
        Ok(DeployResult { task, changed: true })
    }

    /// The revision with this number, or the one before the active one.
    fn revision(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        number: Option<u32>,
    ) -> Result<Revision, RequestError> {
        let entry = self.registry.get(tenant, id).ok_or_else(|| unknown(id))?;
        let current = &entry.task;
        if number == Some(current.revision) {
            return Ok(current.active_revision());
        }
        let found = match number {
            Some(number) => current.others.iter().find(|other| other.number == number),
            None => current.others.iter().rev().find(|other| other.number < current.revision),
        };
        found.cloned().ok_or_else(|| {
            let others = current.others.iter().map(|other| other.number);
            let mut numbers: Vec<u32> = others.chain([current.revision]).collect();
            numbers.sort_unstable();
            RequestError::RevisionNotFound { number, kept: numbers }
        })
    }

    /// Fills the warm pools of tasks after a start, one task after the other.
    pub(crate) async fn warm_all(&self, entries: Vec<Arc<TaskEntry<R::Prepared>>>) {
        for entry in entries {
            // An error here is ignored: the first call of the task gets it.
            if let Ok(prepared) = self.code(&entry).await {
                self.warm(&entry.task, &prepared);
            }
        }
    }

    /// Describes a task's code. Prepares the code for that.
    ///
    /// # Errors
    /// When there is no such task, or when its code cannot be prepared.
    pub async fn describe(&self, tenant: &TenantId, id: &TaskId) -> Result<TaskDescription, RequestError> {
        let entry = self.registry.get(tenant, id).ok_or_else(|| unknown(id))?;
        let prepared = self.code(&entry).await?;
        let description = self.ctx.runtime.describe(&entry.task, &prepared).await;
        Ok(TaskDescription { task: Arc::clone(&entry.task), description })
    }

    /// Stores a task in its new form and replaces it in the registry.
    async fn replace(&self, task: Task) -> Result<Arc<Task>, RequestError> {
        let task = Arc::new(task);
        self.ctx.store.put_task(&task).await?;
        let entry = self.registry.replace(&task);
        let Some(entry) = entry else {
            // The task was deleted in the meantime. It must not be registered at the next start.
            self.ctx.store.remove_task(&task.tenant, &task.id).await?;
            return Err(unknown(&task.id));
        };
        entry.retain(|| self.ctx.runtime.retain(&task));
        Ok(task)
    }

    /// Fills the task's warm pool if its policy asks for ready instances.
    pub(crate) fn warm(&self, task: &Arc<Task>, prepared: &Arc<R::Prepared>) {
        if task.spec.policy.instances.idle_min > 0 {
            let limits =
                call_limits(&self.ctx.settings, self.ctx.settings.sync.default_timeout, &task.spec.policy);
            self.ctx.runtime.warm(task, prepared, limits);
        }
    }
}

fn unknown(id: &TaskId) -> RequestError {
    RequestError::TaskNotFound { id: id.as_str().to_owned() }
}

/// Whether two specs are equal, except for the source of their code.
fn is_equal_but_for_source(one: &TaskSpec, other: &TaskSpec) -> bool {
    one.description == other.description
        && one.artifact == other.artifact
        && one.metadata == other.metadata
        && one.policy == other.policy
}

#[cfg(test)]
mod tests;
