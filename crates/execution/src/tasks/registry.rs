//! The registered tasks of all tenants.

use super::entry::TaskEntry;
use super::view::TaskView;
use crate::{RequestError, Task};
use hashbrown::HashMap;
use pilum_store::lock::{read, write};
use pilum_types::{TaskId, TenantId};
use std::collections::btree_map::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, RwLock};

/// The tasks of every tenant. There are as many tenants as the operator configured, and each
/// has at most `max_tasks` tasks.
#[derive(Debug)]
pub(crate) struct Registry<P> {
    /// Read on every call, written when tasks are added and removed; never held across an await.
    tenants: RwLock<HashMap<TenantId, TenantTasks<P>>>,
    max_tasks: usize,
}

#[derive(Debug)]
struct TenantTasks<P> {
    by_id: HashMap<TaskId, Slot<P>>,
    by_name: BTreeMap<Arc<str>, Arc<TaskEntry<P>>>,
}

#[derive(Debug)]
struct Slot<P> {
    entry: Arc<TaskEntry<P>>,
    /// How many calls would register the task and are not admitted yet.
    reservations: usize,
}

/// A call's reservation of its task until the call is admitted. For a registered task it does
/// nothing. For a new task it reserves the name, so that other calls with the same code use the
/// same task. When the last reservation is dropped and no call was admitted, the name is free
/// again.
#[derive(Debug)]
pub(crate) struct Reservation<'a, P> {
    registry: &'a Registry<P>,
    /// The task.
    pub(crate) entry: Arc<TaskEntry<P>>,
    is_new: bool,
    register_on_drop: bool,
}

impl<P> Registry<P> {
    pub(crate) fn new(max_tasks: usize) -> Self {
        Self { tenants: RwLock::default(), max_tasks }
    }

    /// A registered task.
    pub(crate) fn get(&self, tenant: &TenantId, id: &TaskId) -> Option<Arc<TaskEntry<P>>> {
        self.get_reserved(tenant, id).filter(|entry| entry.is_registered())
    }

    /// A task that is registered or about to be.
    pub(crate) fn get_reserved(&self, tenant: &TenantId, id: &TaskId) -> Option<Arc<TaskEntry<P>>> {
        let tenants = read(&self.tenants);
        tenants.get(tenant)?.by_id.get(id).map(|slot| Arc::clone(&slot.entry))
    }

    /// The registered task of this name.
    pub(crate) fn named(&self, tenant: &TenantId, name: &str) -> Option<Arc<TaskEntry<P>>> {
        let tenants = read(&self.tenants);
        tenants.get(tenant)?.by_name.get(name).filter(|entry| entry.is_registered()).cloned()
    }

    /// A reservation of a registered task.
    pub(crate) fn join(&self, entry: Arc<TaskEntry<P>>) -> Reservation<'_, P> {
        Reservation { registry: self, entry, is_new: false, register_on_drop: false }
    }

    /// Reserves the name of a new task, or joins the task that has the name.
    ///
    /// # Errors
    /// When the name or the id belongs to other code, or the tenant has the highest number of
    /// tasks.
    pub(crate) fn reserve(&self, task: Task) -> Result<Reservation<'_, P>, RequestError> {
        let mut tenants = write(&self.tenants);
        let tasks = tenants.entry(task.tenant.clone()).or_default();
        let found = match tasks.by_name.get(task.spec.name.as_str()) {
            Some(entry) => Some(Arc::clone(entry)),
            None => tasks.by_id.get(&task.id).map(|slot| Arc::clone(&slot.entry)),
        };
        let entry = match found {
            Some(entry) if entry.task.digest == task.digest => entry,
            Some(entry) => {
                return Err(RequestError::NameTaken {
                    name: entry.task.spec.name.clone(),
                    existing: entry.task.digest,
                    offered: task.digest,
                });
            }
            None if tasks.by_id.len() >= self.max_tasks => {
                return Err(RequestError::TooManyTasks { max: self.max_tasks });
            }
            None => tasks.insert(task),
        };
        let is_new = !entry.is_registered();
        if is_new && let Some(slot) = tasks.by_id.get_mut(&entry.task.id) {
            slot.reservations += 1;
        }
        Ok(Reservation { registry: self, entry, is_new, register_on_drop: false })
    }

    /// Removes a task; false if it was not there.
    pub(crate) fn remove(&self, entry: &TaskEntry<P>) -> bool {
        let removed = {
            let mut tenants = write(&self.tenants);
            tenants.get_mut(&entry.task.tenant).is_some_and(|tasks| tasks.remove(entry))
        };
        if removed {
            entry.mark_deleted();
        }
        removed
    }

    /// Registered tasks whose names begin with `prefix`, by name, after `start_after`.
    pub(crate) fn list(
        &self,
        tenant: &TenantId,
        prefix: &str,
        start_after: &str,
        limit: usize,
    ) -> Vec<TaskView> {
        let from = if start_after >= prefix { Bound::Excluded(start_after) } else { Bound::Included(prefix) };
        // No name is empty, so an empty `start_after` excludes nothing.
        let tenants = read(&self.tenants);
        let Some(tasks) = tenants.get(tenant) else { return Vec::new() };
        tasks
            .by_name
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, entry)| entry.is_registered())
            .take(limit)
            .map(|(_, entry)| entry.view())
            .collect()
    }

    /// Replaces a task by another revision of it; `None` if the task was removed.
    pub(crate) fn replace(&self, task: &Arc<Task>) -> Option<Arc<TaskEntry<P>>> {
        let mut tenants = write(&self.tenants);
        let tasks = tenants.get_mut(&task.tenant)?;
        let slot = tasks.by_id.get_mut(&task.id)?;
        slot.entry = Arc::new(slot.entry.with_revision(Arc::clone(task)));
        tasks.by_name.insert(task.spec.name.as_str().into(), Arc::clone(&slot.entry));
        Some(Arc::clone(&slot.entry))
    }

    /// Adds a task that an earlier process registered.
    pub(crate) fn restore(&self, task: Task) -> Arc<TaskEntry<P>> {
        let mut tenants = write(&self.tenants);
        let entry = tenants.entry(task.tenant.clone()).or_default().insert(task);
        entry.register();
        entry
    }

    /// How many tasks there are, of all tenants.
    pub(crate) fn len(&self) -> usize {
        read(&self.tenants).values().map(|tasks| tasks.by_id.len()).sum()
    }

    /// Ends a reservation. The last one of a task that no call registered removes the task.
    fn release(&self, entry: &TaskEntry<P>) {
        let mut tenants = write(&self.tenants);
        let Some(tasks) = tenants.get_mut(&entry.task.tenant) else { return };
        let Some(slot) = tasks.by_id.get_mut(&entry.task.id) else { return };
        slot.reservations = slot.reservations.saturating_sub(1);
        if slot.reservations == 0 && !entry.is_registered() {
            tasks.remove(entry);
        }
    }
}

impl<P> Default for TenantTasks<P> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), by_name: BTreeMap::new() }
    }
}

impl<P> TenantTasks<P> {
    fn insert(&mut self, task: Task) -> Arc<TaskEntry<P>> {
        let entry = Arc::new(TaskEntry::new(task));
        let slot = Slot { entry: Arc::clone(&entry), reservations: 0 };
        self.by_id.insert(entry.task.id.clone(), slot);
        self.by_name.insert(entry.task.spec.name.as_str().into(), Arc::clone(&entry));
        entry
    }

    fn remove(&mut self, entry: &TaskEntry<P>) -> bool {
        self.by_name.remove(entry.task.spec.name.as_str());
        self.by_id.remove(&entry.task.id).is_some()
    }
}

impl<P> Reservation<'_, P> {
    /// Whether the task is not registered yet.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Registers the task, since a call of it was admitted.
    pub(crate) fn register(&self) {
        if self.is_new {
            self.entry.register();
        }
    }

    /// Whether a drop registers the task. True while it is unknown whether the call was
    /// admitted: the store may have accepted it although the call did not see the answer.
    pub(crate) fn register_on_drop(&mut self, register: bool) {
        self.register_on_drop = register;
    }
}

impl<P> Drop for Reservation<'_, P> {
    fn drop(&mut self) {
        if self.is_new {
            if self.register_on_drop {
                self.register();
            }
            self.registry.release(&self.entry);
        }
    }
}

#[cfg(test)]
mod tests;
