//! Deploying tasks: registering them ahead of calls, new revisions of them, and
//! the way back.
//!
//! Calls that run stay with the revision they began with: they hold its code.
//! Executions that wait run with the revision in force when they are claimed.

use crate::core::Core;
use crate::task_entry::TaskEntry;
use crate::{RequestError, RequestField, Revision, Runtime, Store, Task, TaskSpec, ids};
use pilum_types::{Description, Policy, PolicyLimits, TaskId, TenantId};
use std::sync::Arc;

/// Revisions of a task that are kept beside the one in force.
const REVISIONS_KEPT_MAX: usize = 10;

/// A task and what its code is.
#[derive(Debug, Clone)]
pub struct TaskDescription {
    /// The task.
    pub task: Arc<Task>,
    /// Its code.
    pub description: Description,
}

/// What a deployment did.
#[derive(Debug, Clone)]
pub struct DeployResult {
    /// The task as it is now.
    pub task: Arc<Task>,
    /// Whether it differs from what it was.
    pub changed: bool,
}

impl<R: Runtime, S: Store> Core<R, S> {
    /// Makes `spec` the task of its name: a new task, a new revision, or nothing
    /// where it says what is there already.
    pub(crate) async fn deploy(
        self: &Arc<Self>,
        tenant: &TenantId,
        mut spec: TaskSpec,
    ) -> Result<DeployResult, RequestError> {
        self.check_policy(&spec.policy)?;
        let prepared = self.runtime.prepare(&spec.source, &spec.policy.grants).await?;
        let digest = self.runtime.digest(&prepared);
        spec.source.checksum = Some(digest);
        let (core, tenant) = (Arc::clone(self), tenant.clone());
        self.undisturbed(async move { core.put_in_force(tenant, spec, &prepared).await }).await
    }

    /// Puts an earlier revision in force again: this one, or the one before the
    /// present one.
    pub(crate) async fn rollback(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &TaskId,
        number: Option<u32>,
    ) -> Result<DeployResult, RequestError> {
        let revision = self.revision(tenant, id, number)?;
        // What was fine once may not be any more: a limit of the host, a lost blob.
        self.check_policy(&revision.spec.policy)?;
        let prepared = self.runtime.prepare(&revision.spec.source, &revision.spec.policy.grants).await?;
        let (core, tenant, id) = (Arc::clone(self), tenant.clone(), id.clone());
        let number = revision.number;
        self.undisturbed(async move { core.put_back_in_force(&tenant, &id, number, &prepared).await }).await
    }

    /// Runs `work` to its end though whoever waits for it goes away: what the store
    /// has taken, the registry must take too.
    async fn undisturbed(
        &self,
        work: impl Future<Output = Result<DeployResult, RequestError>> + Send + 'static,
    ) -> Result<DeployResult, RequestError> {
        if self.is_draining() {
            return Err(RequestError::Draining);
        }
        let done = self.tracker.spawn(work).await;
        done.unwrap_or_else(|error| Err(RequestError::Internal(error.to_string())))
    }

    async fn put_in_force(
        &self,
        tenant: TenantId,
        spec: TaskSpec,
        prepared: &Arc<R::Prepared>,
    ) -> Result<DeployResult, RequestError> {
        // Held to the end, so that one deployment follows the other.
        let _keeping = self.keeping.lock().await;
        let (now, digest) = (self.clock.now(), self.runtime.digest(prepared));
        let (entry, is_new) = match self.tasks.named(&tenant, spec.name.as_str()) {
            Some(entry) => (entry, false),
            None => {
                let task = Task::new(ids::task(now), tenant, spec.clone(), digest, now);
                (self.register(task).await?, true)
            }
        };
        let current = &entry.task;
        // A call may have registered the same code a moment ago, without a policy.
        if current.digest == digest && same_but_source(&current.spec, &spec) {
            self.warm(current, prepared);
            return Ok(DeployResult { task: Arc::clone(current), changed: is_new });
        }
        let number = current.last_number().saturating_add(1);
        let revision = Revision { number, spec, digest, deployed_at: now };
        let task = self.replace(current.with(revision, REVISIONS_KEPT_MAX)).await?;
        self.warm(&task, prepared);
        Ok(DeployResult { task, changed: true })
    }

    async fn put_back_in_force(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        number: u32,
        prepared: &Arc<R::Prepared>,
    ) -> Result<DeployResult, RequestError> {
        let _keeping = self.keeping.lock().await;
        // It may have gone while its code was made ready.
        let revision = self.revision(tenant, id, Some(number))?;
        let entry = self.tasks.get(tenant, id).ok_or_else(|| unknown(id))?;
        if entry.task.revision == number {
            return Ok(DeployResult { task: Arc::clone(&entry.task), changed: false });
        }
        let task = self.replace(entry.task.with(revision, REVISIONS_KEPT_MAX)).await?;
        self.warm(&task, prepared);
        Ok(DeployResult { task, changed: true })
    }

    /// The revision with this number, or the one before the present one.
    fn revision(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        number: Option<u32>,
    ) -> Result<Revision, RequestError> {
        let entry = self.tasks.get(tenant, id).ok_or_else(|| unknown(id))?;
        let current = &entry.task;
        if number == Some(current.revision) {
            return Ok(current.current());
        }
        let found = match number {
            Some(number) => current.others.iter().find(|other| other.number == number),
            None => current.others.iter().rev().find(|other| other.number < current.revision),
        };
        found.cloned().ok_or_else(|| {
            let others = current.others.iter().map(|other| other.number);
            let mut kept: Vec<u32> = others.chain([current.revision]).collect();
            kept.sort_unstable();
            RequestError::RevisionNotFound { number, kept }
        })
    }

    /// Has instances stand ready for every task that wants some, one task after the
    /// other, after a start.
    pub(crate) async fn warm_all(&self, entries: Vec<Arc<TaskEntry<R::Prepared>>>) {
        for entry in entries {
            // What cannot be made ready is told to the first who calls it.
            if let Ok(prepared) = self.code(&entry).await {
                self.warm(&entry.task, &prepared);
            }
        }
    }

    /// Tells what a task's code is.
    pub(crate) async fn describe(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> Result<TaskDescription, RequestError> {
        let entry = self.tasks.get(tenant, id).ok_or_else(|| unknown(id))?;
        let prepared = self.code(&entry).await?;
        let description = self.runtime.describe(&entry.task, &prepared).await;
        Ok(TaskDescription { task: Arc::clone(&entry.task), description })
    }

    /// Has the store and then the registry take a new task.
    async fn register(&self, task: Task) -> Result<Arc<TaskEntry<R::Prepared>>, RequestError> {
        let mut reservation = self.tasks.reserve(task)?;
        let entry = Arc::clone(&reservation.entry);
        entry.retain(|| self.runtime.retain(&entry.task));
        reservation.register_on_drop(true);
        if let Err(error) = self.store.put_task(&entry.task).await {
            reservation.register_on_drop(false);
            return Err(error.into());
        }
        reservation.register();
        Ok(entry)
    }

    /// Has the store and then the registry take a task in its new form.
    async fn replace(&self, task: Task) -> Result<Arc<Task>, RequestError> {
        let task = Arc::new(task);
        self.store.put_task(&task).await?;
        let entry = self.tasks.replace(&task);
        let Some(entry) = entry else {
            // It was deleted meanwhile, and must not come back at the next start.
            self.store.remove_task(&task.tenant, &task.id).await?;
            return Err(unknown(&task.id));
        };
        entry.retain(|| self.runtime.retain(&task));
        Ok(task)
    }

    /// Has instances stand ready where the policy wants some.
    pub(crate) fn warm(&self, task: &Arc<Task>, prepared: &Arc<R::Prepared>) {
        if task.spec.policy.instances.idle_min > 0 {
            let limits = self.limits(self.settings.sync.default_timeout, &task.spec.policy);
            self.runtime.warm(task, prepared, limits);
        }
    }

    fn check_policy(&self, policy: &Policy) -> Result<(), RequestError> {
        let PolicyLimits { timeout, memory_max_bytes, result_max_bytes, log_max_bytes } = policy.limits;
        let host = &self.settings.limits;
        let too_much = |field, max: u64, unit: &str| {
            let reason = format!("must be at most {max} {unit}, which is this host's bound");
            Err(RequestError::InvalidArgument { field, reason })
        };
        let max = self.settings.sync.max_timeout.max(self.settings.asynchronous.max_timeout);
        if timeout.is_some_and(|asked| asked > max) {
            let max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
            return too_much(RequestField::PolicyTimeout, max, "ms");
        }
        for (field, asked, max) in [
            (RequestField::PolicyMemoryMaxBytes, memory_max_bytes, host.memory_max_bytes),
            (RequestField::PolicyResultMaxBytes, result_max_bytes, host.result_max_bytes),
            (RequestField::PolicyLogMaxBytes, log_max_bytes, host.log_max_bytes),
        ] {
            if asked.is_some_and(|asked| asked > max) {
                return too_much(field, max, "bytes");
            }
        }
        Ok(())
    }
}

fn unknown(id: &TaskId) -> RequestError {
    RequestError::TaskNotFound { id: id.as_str().to_owned() }
}

/// Whether two specs say the same, wherever their code lies.
fn same_but_source(one: &TaskSpec, other: &TaskSpec) -> bool {
    one.description == other.description
        && one.artifact == other.artifact
        && one.metadata == other.metadata
        && one.policy == other.policy
}

#[cfg(test)]
mod tests;
