//! The registered tasks of all tenants, with what is counted about each.

use crate::estimate::Runs;
use crate::lock::{read, write};
use crate::{Refusal, Retained, Task, TaskView, ids};
use pilum_types::{State, TaskId, TenantId};
use std::collections::btree_map::BTreeMap;
use std::collections::hash_map::HashMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Every tenant's tasks. As many tenants as the operator configured, each with
/// at most `max_tasks`.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Read on every call, written when tasks come and go; never held across an
    /// await.
    tenants: RwLock<HashMap<TenantId, Tasks>>,
    max_tasks: usize,
}

#[derive(Debug, Default)]
struct Tasks {
    by_id: HashMap<TaskId, Slot>,
    by_name: BTreeMap<Arc<str>, Arc<TaskEntry>>,
}

#[derive(Debug)]
struct Slot {
    entry: Arc<TaskEntry>,
    /// Calls that would register the task and are not admitted yet.
    reservations: usize,
}

/// A task with what is counted about it.
#[derive(Debug)]
pub(crate) struct TaskEntry {
    /// The task.
    pub(crate) task: Arc<Task>,
    /// How long its functions' runs take.
    pub(crate) runs: Runs,
    executions: AtomicU64,
    /// The latest end: milliseconds since 1970 times 8, plus the state's place
    /// in [`State::ALL`]. In one word so that the latest end wins whole.
    last_end: AtomicU64,
    /// Whether a call has been admitted, which is what registers a task.
    registered: AtomicBool,
    deleted: AtomicBool,
    /// Set once, when the task gets its place; lets its artifact go with it.
    retained: OnceLock<Retained>,
}

/// The place a call has at its task until it is admitted. For a task that is
/// registered already it does nothing. For a new one it holds the name, so that
/// others with the same code join in, and gives it back unless a call with it
/// was admitted.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    registry: &'a Registry,
    /// The task.
    pub(crate) entry: Arc<TaskEntry>,
    provisional: bool,
    register_on_drop: bool,
}

impl Registry {
    pub(crate) fn new(max_tasks: usize) -> Self {
        Self { tenants: RwLock::default(), max_tasks }
    }

    /// A registered task.
    pub(crate) fn get(&self, tenant: &TenantId, id: &TaskId) -> Option<Arc<TaskEntry>> {
        self.get_reserved(tenant, id).filter(|entry| entry.is_registered())
    }

    /// A task that is registered, or about to be: what a worker may find whose
    /// execution was accepted a moment ago.
    pub(crate) fn get_reserved(&self, tenant: &TenantId, id: &TaskId) -> Option<Arc<TaskEntry>> {
        let tenants = read(&self.tenants);
        tenants.get(tenant)?.by_id.get(id).map(|slot| Arc::clone(&slot.entry))
    }

    /// The registered task of this name.
    pub(crate) fn named(&self, tenant: &TenantId, name: &str) -> Option<Arc<TaskEntry>> {
        let tenants = read(&self.tenants);
        tenants.get(tenant)?.by_name.get(name).filter(|entry| entry.is_registered()).cloned()
    }

    /// The place of a call at a registered task.
    pub(crate) fn join(&self, entry: Arc<TaskEntry>) -> Reservation<'_> {
        Reservation { registry: self, entry, provisional: false, register_on_drop: false }
    }

    /// Holds the name of a new task, or joins the task that has it by now.
    ///
    /// # Errors
    /// When the name or the id belongs to other code, or the tenant has as many
    /// tasks as it may.
    pub(crate) fn reserve(&self, task: Task) -> Result<Reservation<'_>, Refusal> {
        let mut tenants = write(&self.tenants);
        let tasks = tenants.entry(task.tenant.clone()).or_default();
        let found = match tasks.by_name.get(task.spec.name.as_str()) {
            Some(entry) => Some(Arc::clone(entry)),
            None => tasks.by_id.get(&task.id).map(|slot| Arc::clone(&slot.entry)),
        };
        let entry = match found {
            Some(entry) if entry.task.digest == task.digest => entry,
            Some(entry) => {
                return Err(Refusal::NameTaken {
                    name: entry.task.spec.name.clone(),
                    existing: entry.task.digest,
                    offered: task.digest,
                });
            }
            None if tasks.by_id.len() >= self.max_tasks => {
                return Err(Refusal::TooManyTasks { max: self.max_tasks });
            }
            None => tasks.insert(task),
        };
        let provisional = !entry.is_registered();
        if provisional && let Some(slot) = tasks.by_id.get_mut(&entry.task.id) {
            slot.reservations += 1;
        }
        Ok(Reservation { registry: self, entry, provisional, register_on_drop: false })
    }

    /// Takes a task out; whether it was there.
    pub(crate) fn remove(&self, entry: &TaskEntry) -> bool {
        let removed = {
            let mut tenants = write(&self.tenants);
            tenants.get_mut(&entry.task.tenant).is_some_and(|tasks| tasks.remove(entry))
        };
        if removed {
            entry.deleted.store(true, Ordering::SeqCst);
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
        // An empty `start_after` excludes nothing, since no name is empty.
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

    /// How many tasks there are, of all tenants.
    pub(crate) fn len(&self) -> usize {
        read(&self.tenants).values().map(|tasks| tasks.by_id.len()).sum()
    }

    /// Gives a place back; the last of a task that nobody registered takes the
    /// task along.
    fn release(&self, entry: &TaskEntry) {
        let mut tenants = write(&self.tenants);
        let Some(tasks) = tenants.get_mut(&entry.task.tenant) else { return };
        let Some(slot) = tasks.by_id.get_mut(&entry.task.id) else { return };
        slot.reservations = slot.reservations.saturating_sub(1);
        if slot.reservations == 0 && !entry.is_registered() {
            tasks.remove(entry);
        }
    }
}

impl Tasks {
    fn insert(&mut self, task: Task) -> Arc<TaskEntry> {
        let entry = Arc::new(TaskEntry::new(task));
        let slot = Slot { entry: Arc::clone(&entry), reservations: 0 };
        self.by_id.insert(entry.task.id.clone(), slot);
        self.by_name.insert(entry.task.spec.name.as_str().into(), Arc::clone(&entry));
        entry
    }

    fn remove(&mut self, entry: &TaskEntry) -> bool {
        self.by_name.remove(entry.task.spec.name.as_str());
        self.by_id.remove(&entry.task.id).is_some()
    }
}

impl TaskEntry {
    fn new(task: Task) -> Self {
        Self {
            task: Arc::new(task),
            runs: Runs::default(),
            executions: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            registered: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            retained: OnceLock::new(),
        }
    }

    /// Holds the task's artifact for as long as the task is known.
    pub(crate) fn retain(&self, retain: impl FnOnce() -> Retained) {
        self.retained.get_or_init(retain);
    }

    /// Whether it has been deleted since it was looked up.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Counts an execution that was admitted.
    pub(crate) fn count_admitted(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers how an execution ended.
    pub(crate) fn count_ended(&self, state: State, at: SystemTime) {
        let place = State::ALL.iter().position(|s| *s == state).unwrap_or_default();
        let word = ids::unix_ms(at).saturating_mul(8) | place as u64;
        self.last_end.fetch_max(word, Ordering::Relaxed);
    }

    /// What listings show.
    pub(crate) fn view(&self) -> TaskView {
        let word = self.last_end.load(Ordering::Relaxed);
        let ended = (word > 0).then(|| UNIX_EPOCH + Duration::from_millis(word / 8));
        TaskView {
            task: Arc::clone(&self.task),
            execution_count: self.executions.load(Ordering::Relaxed),
            last_state: ended.and_then(|_| State::ALL.get((word % 8) as usize).copied()),
            updated_at: ended.unwrap_or(self.task.created_at),
        }
    }

    fn is_registered(&self) -> bool {
        self.registered.load(Ordering::Acquire)
    }
}

impl Reservation<'_> {
    /// Registers the task: a call of it was admitted.
    pub(crate) fn register(&self) {
        if self.provisional {
            self.entry.registered.store(true, Ordering::Release);
        }
    }

    /// Whether to register the task should this be dropped now. True while it
    /// is unknown whether the call was admitted: a store that was asked may
    /// have done it though nobody heard the answer.
    pub(crate) fn register_on_drop(&mut self, register: bool) {
        self.register_on_drop = register;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.provisional {
            if self.register_on_drop {
                self.register();
            }
            self.registry.release(&self.entry);
        }
    }
}

#[cfg(test)]
mod tests;
