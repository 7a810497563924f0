//! Synchronous executions, kept in memory for a while so that status, listings
//! and repeats find them. Their record is not durable.

use crate::key::Key;
use crate::lock::lock;
use crate::sync_run::SyncRun;
use crate::{ListQuery, Summary};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use pilum_types::{ExecutionId, TaskId, TenantId};
use std::collections::{BTreeMap, VecDeque};
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

/// The synchronous executions that run, and those that ended lately. Those that
/// run are never evicted; they are as many as there are slots.
#[derive(Debug)]
pub(crate) struct Ledger {
    shards: [Mutex<Shard>; SHARDS],
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
    entries: HashTable<Entry>,
    /// In the order in which they ended.
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
enum Entry {
    /// So many asynchronous submissions are being accepted under this id.
    Accepting(Key, usize),
    /// A synchronous call has this id.
    Run(Arc<SyncRun>),
}

#[derive(Debug)]
struct Ended {
    run: Arc<SyncRun>,
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
        shard.entries.insert_unique(run.key.hash(), Entry::Run(run), Entry::hash);
    }

    /// Puts in a run under an id that its caller brought.
    pub(crate) fn claim(&self, run: &Arc<SyncRun>) -> IdClaim {
        let mut shard = self.shard(&run.key);
        match shard.entry(&run.key) {
            TableEntry::Vacant(vacant) => {
                vacant.insert(Entry::Run(Arc::clone(run)));
                IdClaim::Claimed
            }
            TableEntry::Occupied(occupied) => match occupied.get() {
                Entry::Accepting(..) => IdClaim::Accepting,
                Entry::Run(other) => IdClaim::Taken(Arc::clone(other)),
            },
        }
    }

    /// Gives back an id whose call was not admitted.
    pub(crate) fn release(&self, run: &SyncRun) {
        self.shard(&run.key).remove(&run.key);
    }

    /// Keeps an id for an asynchronous submission; `None` if a synchronous call
    /// has it. Several submissions may keep the same: the store tells them apart.
    pub(crate) fn accepting(&self, tenant: &TenantId, id: &ExecutionId) -> Option<Accepting<'_>> {
        let key = Key::new(tenant.clone(), id.clone());
        match self.shard(&key).entry(&key).or_insert(Entry::Accepting(key.clone(), 0)).get_mut() {
            Entry::Run(_) => return None,
            Entry::Accepting(_, submissions) => *submissions += 1,
        }
        Some(Accepting { ledger: self, key })
    }

    /// Counts a run among those that ended, and evicts what is too much then.
    pub(crate) fn ended(&self, run: &Arc<SyncRun>, at: SystemTime, bytes: usize) {
        let evicted = {
            let mut shard = self.shard(&run.key);
            shard.ended.push_back(Ended { run: Arc::clone(run), at, bytes });
            if shard.ended.len() > self.bounds.per_shard { shard.evict_oldest() } else { None }
        };
        let mut total = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if let Some(evicted) = evicted {
            total = self.forget_bytes(evicted.bytes);
        }
        if total > self.bounds.bytes {
            self.evict_bytes(place(&run.key));
        }
    }

    /// The run with this id.
    pub(crate) fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Option<Arc<SyncRun>> {
        let key = Key::new(tenant.clone(), id.clone());
        match self.shard(&key).get(&key)? {
            Entry::Run(run) => Some(Arc::clone(run)),
            Entry::Accepting(..) => None,
        }
    }

    /// A tenant's executions in ascending order of id.
    pub(crate) fn list(&self, tenant: &TenantId, query: &ListQuery) -> Vec<Summary> {
        let mut found = BTreeMap::new();
        if query.dead_letters {
            // A synchronous call's failure is its caller's to deal with.
            return Vec::new();
        }
        for run in self.runs(|run| run.key.tenant == *tenant && query.admits(&run.key.id, &run.task_id)) {
            let Some(execution) = run.view() else { continue };
            if query.state.is_none_or(|state| execution.state == state) {
                found.insert(run.key.id.clone(), execution.summary());
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
            let ours = |old: &Ended| old.run.key.tenant == *tenant && old.run.task_id == *task_id;
            let (forgotten, kept): (VecDeque<_>, _) =
                std::mem::take(&mut shard.ended).into_iter().partition(ours);
            shard.ended = kept;
            for old in &forgotten {
                shard.remove(&old.run.key);
            }
            forgotten
        })
    }

    /// Forgets what ended before `before`.
    pub(crate) fn expire(&self, before: SystemTime) {
        self.forget(|shard| {
            let mut forgotten = VecDeque::new();
            while shard.ended.front().is_some_and(|oldest| oldest.at < before) {
                forgotten.extend(shard.evict_oldest());
            }
            forgotten
        });
    }

    fn bounded(bounds: Bounds) -> Self {
        Self { shards: Default::default(), bytes: AtomicUsize::new(0), bounds }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the array's own length")]
    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        lock(&self.shards[place(key)])
    }

    /// All runs that `wanted` picks. Each shard is locked for the look-up only.
    fn runs(&self, wanted: impl Fn(&SyncRun) -> bool) -> Vec<Arc<SyncRun>> {
        let mut runs = Vec::new();
        for shard in &self.shards {
            for entry in &lock(shard).entries {
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
    fn forget(&self, out_of: impl Fn(&mut Shard) -> VecDeque<Ended>) -> usize {
        let mut count = 0;
        for shard in &self.shards {
            let forgotten = out_of(&mut lock(shard));
            count += forgotten.len();
            self.forget_bytes(forgotten.iter().map(|old| old.bytes).sum());
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
        if let Some(evicted) = &evicted {
            self.forget_bytes(evicted.bytes);
        }
        evicted.is_some()
    }
}

/// The shard of a key: by bits that the shards' own tables do not go by.
fn place(key: &Key) -> usize {
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
        self.remove(&oldest.run.key);
        Some(oldest)
    }
}

impl Entry {
    fn key(&self) -> &Key {
        match self {
            Self::Run(run) => &run.key,
            Self::Accepting(key, _) => key,
        }
    }

    fn hash(&self) -> u64 {
        self.key().hash()
    }
}

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        let mut shard = self.ledger.shard(&self.key);
        if let TableEntry::Occupied(mut occupied) = shard.entry(&self.key)
            && let Entry::Accepting(_, submissions) = occupied.get_mut()
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
