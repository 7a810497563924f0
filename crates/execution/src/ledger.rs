//! Synchronous executions, kept in memory for a while so that status, listings
//! and repeats find them. Their record is not durable.

use crate::lock::lock;
use crate::sync_run::SyncRun;
use crate::{Execution, ListQuery};
use pilum_types::{ExecutionId, TaskId, TenantId};
use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

/// Parts with a lock each, so that calls on all cores seldom meet. A few times
/// the cores of the machines this runs on.
const SHARDS: usize = 16;
/// Ended executions kept, over all shards: some minutes of a busy host.
const ENDED_MAX: usize = 10_000;
/// What ended executions may hold, in bytes: small beside one instance pool.
const ENDED_MAX_BYTES: usize = 64 << 20;

/// Whose execution, and which.
pub(crate) type Key = (TenantId, ExecutionId);

/// The synchronous executions that run, and those that ended lately. Those that
/// run are never evicted; they are as many as there are slots.
#[derive(Debug)]
pub(crate) struct Ledger {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// Of all ended executions.
    bytes: AtomicUsize,
    bounds: Bounds,
}

/// How much is kept of what has ended.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// In each shard. Ids spread evenly, so that what is evicted is the oldest
    /// but for a few.
    per_shard: usize,
    /// In all shards.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Key, Entry>,
    /// In the order in which they ended.
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
enum Entry {
    /// So many asynchronous submissions are being accepted under this id.
    Accepting(usize),
    /// A synchronous call has this id.
    Run(Arc<SyncRun>),
}

#[derive(Debug)]
struct Ended {
    key: Key,
    at: SystemTime,
    bytes: usize,
}

/// What became of the claim of an id by a synchronous call.
#[derive(Debug)]
pub(crate) enum IdClaim {
    /// The id is this call's.
    Claimed,
    /// Another synchronous call has it.
    Taken(Arc<SyncRun>),
    /// An asynchronous submission with it is being accepted.
    Accepting,
}

/// Keeps an id from synchronous calls while it is being accepted by the store.
#[derive(Debug)]
pub(crate) struct Accepting<'a> {
    ledger: &'a Ledger,
    key: Key,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::bounded(Bounds { per_shard: ENDED_MAX / SHARDS, bytes: ENDED_MAX_BYTES })
    }
}

impl Ledger {
    /// Puts in a run under an id that was just made.
    pub(crate) fn insert(&self, run: Arc<SyncRun>) {
        let mut shard = self.shard(&run.key);
        shard.entries.insert(run.key.clone(), Entry::Run(run));
    }

    /// Puts in a run under an id that its caller brought.
    pub(crate) fn claim(&self, run: &Arc<SyncRun>) -> IdClaim {
        let mut shard = self.shard(&run.key);
        match shard.entries.entry(run.key.clone()) {
            MapEntry::Vacant(vacant) => {
                vacant.insert(Entry::Run(Arc::clone(run)));
                IdClaim::Claimed
            }
            MapEntry::Occupied(occupied) => match occupied.get() {
                Entry::Accepting(_) => IdClaim::Accepting,
                Entry::Run(other) => IdClaim::Taken(Arc::clone(other)),
            },
        }
    }

    /// Gives back an id whose call was not admitted.
    pub(crate) fn release(&self, run: &SyncRun) {
        self.shard(&run.key).entries.remove(&run.key);
    }

    /// Keeps an id for an asynchronous submission; `None` if a synchronous call
    /// has it. Several submissions may keep the same: the store tells them apart.
    pub(crate) fn accepting(&self, tenant: &TenantId, id: &ExecutionId) -> Option<Accepting<'_>> {
        let key = (tenant.clone(), id.clone());
        match self.shard(&key).entries.entry(key.clone()).or_insert(Entry::Accepting(0)) {
            Entry::Run(_) => return None,
            Entry::Accepting(submissions) => *submissions += 1,
        }
        Some(Accepting { ledger: self, key })
    }

    /// Counts a run among those that ended, and evicts what is too much then.
    pub(crate) fn ended(&self, run: &SyncRun, at: SystemTime, bytes: usize) {
        let evicted = {
            let mut shard = self.shard(&run.key);
            shard.ended.push_back(Ended { key: run.key.clone(), at, bytes });
            if shard.ended.len() > self.bounds.per_shard { shard.evict_oldest() } else { None }
        };
        let mut total = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if let Some((_, bytes)) = evicted {
            total = self.forget_bytes(bytes);
        }
        if total > self.bounds.bytes {
            self.evict_bytes(self.place(&run.key));
        }
    }

    /// The run with this id.
    pub(crate) fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Option<Arc<SyncRun>> {
        let key = (tenant.clone(), id.clone());
        match self.shard(&key).entries.get(&key)? {
            Entry::Run(run) => Some(Arc::clone(run)),
            Entry::Accepting(_) => None,
        }
    }

    /// A tenant's executions in ascending order of id.
    pub(crate) fn list(&self, tenant: &TenantId, query: &ListQuery) -> Vec<Arc<Execution>> {
        let mut found: BTreeMap<ExecutionId, Arc<Execution>> = BTreeMap::new();
        for run in self.runs(|run| run.key.0 == *tenant && query.admits(&run.key.1, &run.task_id)) {
            let Some(execution) = run.view() else { continue };
            if query.state.is_none_or(|state| execution.state == state) {
                found.insert(run.key.1.clone(), execution);
            }
            if found.len() > query.limit {
                found.pop_last();
            }
        }
        found.into_values().collect()
    }

    /// The runs under way that `wanted` picks.
    pub(crate) fn running(&self, wanted: impl Fn(&SyncRun) -> bool) -> Vec<Arc<SyncRun>> {
        self.runs(|run| run.is_running() && wanted(run))
    }

    /// Forgets a task's executions that have ended; returns how many.
    pub(crate) fn forget_task(&self, tenant: &TenantId, task_id: &TaskId) -> usize {
        self.forget(|shard| {
            let Shard { entries, ended } = shard;
            let mut forgotten = Vec::new();
            ended.retain(|old| {
                let ours = old.key.0 == *tenant && entries.get(&old.key).is_some_and(|e| e.is_of(task_id));
                if ours && let Some(entry) = entries.remove(&old.key) {
                    forgotten.push((entry, old.bytes));
                }
                !ours
            });
            forgotten
        })
    }

    /// Forgets what ended before `before`.
    pub(crate) fn expire(&self, before: SystemTime) {
        self.forget(|shard| {
            let mut forgotten = Vec::new();
            while shard.ended.front().is_some_and(|oldest| oldest.at < before) {
                forgotten.extend(shard.evict_oldest());
            }
            forgotten
        });
    }

    fn bounded(bounds: Bounds) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), bytes: AtomicUsize::new(0), bounds }
    }

    fn place(&self, key: &Key) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the array's own length")]
    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.place(key)])
    }

    /// All runs that `wanted` picks. Each shard is locked for the look-up only.
    fn runs(&self, wanted: impl Fn(&SyncRun) -> bool) -> Vec<Arc<SyncRun>> {
        let mut runs = Vec::new();
        for shard in &self.shards {
            for entry in lock(shard).entries.values() {
                if let Entry::Run(run) = entry
                    && wanted(run)
                {
                    runs.push(Arc::clone(run));
                }
            }
        }
        runs
    }

    /// Takes entries out of every shard; what they hold is freed outside the locks.
    fn forget(&self, out_of: impl Fn(&mut Shard) -> Vec<(Entry, usize)>) -> usize {
        let mut count = 0;
        for shard in &self.shards {
            let forgotten = out_of(&mut lock(shard));
            count += forgotten.len();
            self.forget_bytes(forgotten.iter().map(|(_, bytes)| bytes).sum());
        }
        count
    }

    /// Returns what is left.
    fn forget_bytes(&self, bytes: usize) -> usize {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed).saturating_sub(bytes)
    }

    /// Evicts the oldest of each shard in turn until the bound is kept, and what
    /// was just added to the shard that has grown only if it is all that is left.
    fn evict_bytes(&self, grown: usize) {
        let in_turn = || self.shards.iter().enumerate().cycle().skip(grown + 1).take(SHARDS);
        let is_full = || self.bytes.load(Ordering::Relaxed) > self.bounds.bytes;
        let mut evicted = true;
        while evicted {
            evicted = false;
            for (place, shard) in in_turn() {
                if !is_full() {
                    return;
                }
                evicted |= self.evict_from(shard, usize::from(place == grown));
            }
        }
        for (_, shard) in in_turn().filter(|_| is_full()) {
            self.evict_from(shard, 0);
        }
    }

    /// Evicts the oldest of a shard that has more than `keep`; whether it did.
    fn evict_from(&self, shard: &Mutex<Shard>, keep: usize) -> bool {
        let evicted = {
            let mut shard = lock(shard);
            if shard.ended.len() > keep { shard.evict_oldest() } else { None }
        };
        if let Some((_, bytes)) = &evicted {
            self.forget_bytes(*bytes);
        }
        evicted.is_some()
    }
}

impl Shard {
    fn evict_oldest(&mut self) -> Option<(Entry, usize)> {
        let oldest = self.ended.pop_front()?;
        self.entries.remove(&oldest.key).map(|entry| (entry, oldest.bytes))
    }
}

impl Entry {
    fn is_of(&self, task_id: &TaskId) -> bool {
        match self {
            Self::Run(run) => run.task_id == *task_id,
            Self::Accepting(_) => false,
        }
    }
}

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        let mut shard = self.ledger.shard(&self.key);
        if let MapEntry::Occupied(mut occupied) = shard.entries.entry(self.key.clone())
            && let Entry::Accepting(submissions) = occupied.get_mut()
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
