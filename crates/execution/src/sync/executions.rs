//! Synchronous executions. They stay in memory for a while after their end, so that status,
//! listings and repeated calls find them. They are not durable.

use super::execution::SyncExecution;
use super::key::Key;
use crate::{ListQuery, Summary};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use pilum_store::lock::lock;
use pilum_types::{ExecutionId, TaskId, TenantId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

/// The number of parts with a lock of their own. It is a few times the usual number of cores,
/// so that calls rarely wait for each other.
const SHARDS: usize = 16;
/// The most ended executions in all shards: some minutes of a busy host.
const ENDED_MAX: usize = 10_000;
/// The most bytes that ended executions hold. It is much less than one instance pool holds.
const ENDED_MAX_BYTES: usize = 64 << 20;

/// The synchronous executions that run, and those that ended a short time ago. Running
/// executions are never evicted; there are at most as many as slots.
#[derive(Debug)]
pub(crate) struct SyncExecutions {
    shards: [Mutex<Shard>; SHARDS],
    /// The bytes of all ended executions.
    bytes: AtomicUsize,
    bounds: Bounds,
}

/// The bounds of ended executions.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Ended executions in each shard. Ids spread evenly, so the evicted execution is one of
    /// the oldest.
    per_shard: usize,
    /// Bytes in all shards.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashTable<Entry>,
    /// Ended executions in the order of their ends.
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
enum Entry {
    /// This many asynchronous submissions with this id are on their way to the store.
    Submitting(Key, usize),
    /// A synchronous call has this id.
    Execution(Arc<SyncExecution>),
}

#[derive(Debug)]
struct Ended {
    execution: Arc<SyncExecution>,
    at: SystemTime,
    bytes: usize,
}

/// The answer to a synchronous call that claims an id.
#[derive(Debug)]
pub(crate) enum IdClaim {
    /// The call has the id now.
    Claimed,
    /// Another synchronous call has the id.
    Taken(Arc<SyncExecution>),
    /// An asynchronous submission with the id is on its way to the store.
    Submitting,
}

/// Prevents synchronous calls from claiming an id while a submission with it is on its way to
/// the store.
#[derive(Debug)]
pub(crate) struct SubmittingId<'a> {
    executions: &'a SyncExecutions,
    key: Key,
}

impl Default for SyncExecutions {
    fn default() -> Self {
        Self::bounded(Bounds { per_shard: ENDED_MAX / SHARDS, bytes: ENDED_MAX_BYTES })
    }
}

impl SyncExecutions {
    /// Adds an execution under a generated id.
    pub(crate) fn insert(&self, execution: Arc<SyncExecution>) {
        let mut shard = self.shard(&execution.key);
        shard.entries.insert_unique(execution.key.hash(), Entry::Execution(execution), Entry::hash);
    }

    /// Adds an execution under an id that the client supplied.
    pub(crate) fn claim(&self, execution: &Arc<SyncExecution>) -> IdClaim {
        let mut shard = self.shard(&execution.key);
        match shard.entry(&execution.key) {
            TableEntry::Vacant(vacant) => {
                vacant.insert(Entry::Execution(Arc::clone(execution)));
                IdClaim::Claimed
            }
            TableEntry::Occupied(occupied) => match occupied.get() {
                Entry::Submitting(..) => IdClaim::Submitting,
                Entry::Execution(other) => IdClaim::Taken(Arc::clone(other)),
            },
        }
    }

    /// Removes an execution that was not admitted.
    pub(crate) fn release(&self, execution: &SyncExecution) {
        self.shard(&execution.key).remove(&execution.key);
    }

    /// Reserves an id for an asynchronous submission; `None` if a synchronous call has it.
    /// Several submissions may reserve the same id: the store tells them apart.
    pub(crate) fn reserve_for_submission(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Option<SubmittingId<'_>> {
        let key = Key::new(tenant.clone(), id.clone());
        match self.shard(&key).entry(&key).or_insert(Entry::Submitting(key.clone(), 0)).get_mut() {
            Entry::Execution(_) => return None,
            Entry::Submitting(_, submissions) => *submissions += 1,
        }
        Some(SubmittingId { executions: self, key })
    }

    /// Adds an execution to those that have ended, and evicts others beyond the bounds.
    pub(crate) fn add_ended(&self, execution: &Arc<SyncExecution>, at: SystemTime, bytes: usize) {
        let evicted = {
            let mut shard = self.shard(&execution.key);
            shard.ended.push_back(Ended { execution: Arc::clone(execution), at, bytes });
            if shard.ended.len() > self.bounds.per_shard { shard.evict_oldest() } else { None }
        };
        let mut total = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if let Some(evicted) = evicted {
            total = self.subtract_bytes(evicted.bytes);
        }
        if total > self.bounds.bytes {
            self.evict_bytes(shard_index(&execution.key));
        }
    }

    /// The execution with this id.
    pub(crate) fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Option<Arc<SyncExecution>> {
        let key = Key::new(tenant.clone(), id.clone());
        match self.shard(&key).get(&key)? {
            Entry::Execution(execution) => Some(Arc::clone(execution)),
            Entry::Submitting(..) => None,
        }
    }

    /// A tenant's executions in ascending order of id.
    pub(crate) fn list(&self, tenant: &TenantId, query: &ListQuery) -> Vec<Summary> {
        let mut found = BTreeMap::new();
        if query.dead_letters {
            // Dead letters are asynchronous: a synchronous caller sees the failure itself.
            return Vec::new();
        }
        for execution in self.all(|execution| {
            execution.key.tenant == *tenant && query.admits(&execution.key.id, &execution.task_id)
        }) {
            let Some(view) = execution.view() else { continue };
            if query.state.is_none_or(|state| view.state == state) {
                found.insert(execution.key.id.clone(), view.summary());
            }
            if found.len() > query.limit {
                found.pop_last();
            }
        }
        found.into_values().collect()
    }

    /// The running executions for which `wanted` is true.
    pub(crate) fn running(&self, wanted: impl Fn(&SyncExecution) -> bool) -> Vec<Arc<SyncExecution>> {
        self.all(|execution| execution.is_running() && wanted(execution))
    }

    /// Removes the ended executions of a task; returns how many.
    pub(crate) fn remove_ended(&self, tenant: &TenantId, task_id: &TaskId) -> usize {
        self.remove_from_shards(|shard| {
            let is_of_task =
                |old: &Ended| old.execution.key.tenant == *tenant && old.execution.task_id == *task_id;
            let (removed, others): (VecDeque<_>, _) =
                std::mem::take(&mut shard.ended).into_iter().partition(is_of_task);
            shard.ended = others;
            for old in &removed {
                shard.remove(&old.execution.key);
            }
            removed
        })
    }

    /// Removes executions that ended before `before`.
    pub(crate) fn expire(&self, before: SystemTime) {
        self.remove_from_shards(|shard| {
            let mut removed = VecDeque::new();
            while shard.ended.front().is_some_and(|oldest| oldest.at < before) {
                removed.extend(shard.evict_oldest());
            }
            removed
        });
    }

    fn bounded(bounds: Bounds) -> Self {
        Self { shards: Default::default(), bytes: AtomicUsize::new(0), bounds }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the array's own length")]
    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_index(key)])
    }

    /// All executions for which `wanted` is true. A shard is locked only while it is searched.
    fn all(&self, wanted: impl Fn(&SyncExecution) -> bool) -> Vec<Arc<SyncExecution>> {
        let mut wanted_executions = Vec::new();
        for shard in &self.shards {
            for entry in &lock(shard).entries {
                if let Entry::Execution(execution) = entry
                    && wanted(execution)
                {
                    wanted_executions.push(Arc::clone(execution));
                }
            }
        }
        wanted_executions
    }

    /// Removes ended executions from every shard. Their memory is freed outside of the locks.
    fn remove_from_shards(&self, remove: impl Fn(&mut Shard) -> VecDeque<Ended>) -> usize {
        let mut count = 0;
        for shard in &self.shards {
            let removed = remove(&mut lock(shard));
            count += removed.len();
            self.subtract_bytes(removed.iter().map(|old| old.bytes).sum());
        }
        count
    }

    /// Subtracts bytes; returns the rest.
    fn subtract_bytes(&self, bytes: usize) -> usize {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed).saturating_sub(bytes)
    }

    /// Evicts the oldest execution of each shard in turn until the bound holds. The execution
    /// that was just added to the shard `grown` is evicted last.
    fn evict_bytes(&self, grown: usize) {
        let in_turn = || self.shards.iter().enumerate().cycle().skip(grown + 1).take(SHARDS);
        let is_full = || self.bytes.load(Ordering::Relaxed) > self.bounds.bytes;
        let mut evicted = true;
        while evicted {
            evicted = false;
            for (index, shard) in in_turn() {
                if !is_full() {
                    return;
                }
                evicted |= self.evict_from(shard, usize::from(index == grown));
            }
        }
        for (_, shard) in in_turn().filter(|_| is_full()) {
            self.evict_from(shard, 0);
        }
    }

    /// Evicts the oldest execution of a shard if more than `min` have ended there. Returns whether
    /// it evicted one.
    fn evict_from(&self, shard: &Mutex<Shard>, min: usize) -> bool {
        let evicted = {
            let mut shard = lock(shard);
            if shard.ended.len() > min { shard.evict_oldest() } else { None }
        };
        if let Some(evicted) = &evicted {
            self.subtract_bytes(evicted.bytes);
        }
        evicted.is_some()
    }
}

/// The index of a key's shard. It uses other bits of the hash than the tables of the shards.
fn shard_index(key: &Key) -> usize {
    (key.hash() >> 32) as usize % SHARDS
}

impl Shard {
    fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.find(key.hash(), |entry| entry.key() == key)
    }

    fn entry(&mut self, key: &Key) -> TableEntry<'_, Entry> {
        self.entries.entry(key.hash(), |entry| entry.key() == key, Entry::hash)
    }

    fn remove(&mut self, key: &Key) {
        if let Ok(entry) = self.entries.find_entry(key.hash(), |entry| entry.key() == key) {
            entry.remove();
        }
    }

    fn evict_oldest(&mut self) -> Option<Ended> {
        let oldest = self.ended.pop_front()?;
        self.remove(&oldest.execution.key);
        Some(oldest)
    }
}

impl Entry {
    fn key(&self) -> &Key {
        match self {
            Self::Execution(execution) => &execution.key,
            Self::Submitting(key, _) => key,
        }
    }

    fn hash(&self) -> u64 {
        self.key().hash()
    }
}

impl Drop for SubmittingId<'_> {
    fn drop(&mut self) {
        let mut shard = self.executions.shard(&self.key);
        if let TableEntry::Occupied(mut occupied) = shard.entry(&self.key)
            && let Entry::Submitting(_, submissions) = occupied.get_mut()
        {
            *submissions -= 1;
            if *submissions == 0 {
                occupied.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests;
