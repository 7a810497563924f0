//! Tasks: the registry, the task that a caller means, and the deployment of revisions.
//!
//! `registry` and `entry` hold the registered tasks in memory; `resolve` finds a call's task
//! and its code; `persist` stores a new task before anything refers to it; `deploy` makes
//! revisions; `policy` checks the policy of a deployment.

mod deploy;
mod entry;
mod persist;
mod policy;
mod registry;
mod resolve;
mod view;

pub use deploy::{DeployResult, TaskDescription};
pub(crate) use entry::TaskEntry;
pub use view::TaskView;

use crate::ctx::Ctx;
use crate::lifecycle::Lifecycle;
use crate::{RequestError, Runtime, Store, StoreError, UploadedArtifact};
use bytes::Bytes;
use futures::stream::BoxStream;
use pilum_types::{TaskId, TenantId};
use registry::Registry;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The tasks of all tenants.
#[derive(Debug)]
pub struct Tasks<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    lifecycle: Arc<Lifecycle>,
    registry: Registry<R::Prepared>,
    /// Held while a task is stored: by a call until it is admitted, so that no other call
    /// removes the stored task in between; by a deployment to its end.
    registering: Mutex<()>,
}

impl<R: Runtime, S: Store> Tasks<R, S> {
    pub(crate) fn new(ctx: Arc<Ctx<R, S>>, lifecycle: Arc<Lifecycle>) -> Self {
        let registry = Registry::new(ctx.settings.max_tasks);
        Self { ctx, lifecycle, registry, registering: Mutex::default() }
    }

    /// The task with this id.
    pub fn get(&self, tenant: &TenantId, id: &TaskId) -> Option<TaskView> {
        self.registry.get(tenant, id).map(|entry| entry.view())
    }

    /// The task with this name.
    pub fn named(&self, tenant: &TenantId, name: &str) -> Option<TaskView> {
        self.registry.named(tenant, name).map(|entry| entry.view())
    }

    /// Tasks whose names begin with `prefix`, in ascending order of name, after `start_after`.
    pub fn list(&self, tenant: &TenantId, prefix: &str, start_after: &str, limit: usize) -> Vec<TaskView> {
        self.registry.list(tenant, prefix, start_after, limit)
    }

    /// Stores an artifact's bytes, so that a task can be deployed from them.
    ///
    /// # Errors
    /// When the bytes are too many, do not arrive completely, or cannot be stored.
    pub async fn upload(
        &self,
        bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> Result<UploadedArtifact, RequestError> {
        Ok(self.ctx.runtime.upload(bytes).await?)
    }

    /// How many tasks there are, of all tenants.
    pub(crate) fn len(&self) -> usize {
        self.registry.len()
    }

    /// Loads the tasks of the store. Returns those whose policy asks for ready instances.
    pub(crate) fn restore(&self) -> Result<Vec<Arc<TaskEntry<R::Prepared>>>, StoreError> {
        let mut to_warm = Vec::new();
        for task in self.ctx.store.tasks()? {
            let entry = self.registry.restore(task);
            entry.retain(|| self.ctx.runtime.retain(&entry.task));
            if entry.task.spec.policy.instances.idle_min > 0 {
                to_warm.push(entry);
            }
        }
        Ok(to_warm)
    }

    /// The entry of a registered task.
    pub(crate) fn entry(&self, tenant: &TenantId, id: &TaskId) -> Option<Arc<TaskEntry<R::Prepared>>> {
        self.registry.get(tenant, id)
    }

    /// The entry of a task that is registered or is about to be. A worker may run the
    /// execution of a call that is just being admitted.
    pub(crate) fn entry_or_reserved(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> Option<Arc<TaskEntry<R::Prepared>>> {
        self.registry.get_reserved(tenant, id)
    }

    /// Removes a task from the registry; false if another call has removed it.
    pub(crate) fn unregister(&self, entry: &TaskEntry<R::Prepared>) -> bool {
        self.registry.remove(entry)
    }
}
