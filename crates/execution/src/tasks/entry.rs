//! One registered task with its counts and its code.

use super::view::TaskView;
use crate::ctx::ids;
use crate::observe::estimate::RunTimes;
use crate::{RetainGuard, Task};
use pilum_store::lock::{read, write};
use pilum_types::State;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One call in this many asks the runtime for the task's code although the code is cached
/// here: the runtime evicts code that no call asks for.
const CALLS_PER_PREPARE: u32 = 64;

/// A task with its counts and its code.
#[derive(Debug)]
pub(crate) struct TaskEntry<P> {
    /// The task.
    pub(crate) task: Arc<Task>,
    /// The code that the latest call got from the runtime.
    code: CachedCode<P>,
    /// The counts of all revisions together.
    counts: Arc<Counts>,
    /// Set once, when the task is added. It protects the artifact from eviction while the
    /// entry lives.
    retained: OnceLock<RetainGuard>,
}

/// The counts of a task, and whether it is registered.
#[derive(Debug, Default)]
struct Counts {
    run_times: RunTimes,
    executions: AtomicU64,
    /// The latest end: milliseconds since 1970 times 8, plus the index of the state in
    /// [`State::ALL`]. Time and state are in one word, so they always belong together.
    last_end: AtomicU64,
    /// Whether a call was admitted; the first admitted call registers the task.
    registered: AtomicBool,
    deleted: AtomicBool,
}

/// Code that a call got from the runtime. The runtime owns it, so this is empty after the
/// runtime has evicted it.
#[derive(Debug)]
struct CachedCode<P> {
    /// Written when the runtime has made the code again.
    code: RwLock<Weak<P>>,
    calls: AtomicU32,
}

impl<P> TaskEntry<P> {
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task: Arc::new(task),
            code: CachedCode::default(),
            counts: Arc::default(),
            retained: OnceLock::new(),
        }
    }

    /// The same task with another active revision: it has the same counts and code of its own.
    pub(crate) fn with_revision(&self, task: Arc<Task>) -> Self {
        Self {
            task,
            code: CachedCode::default(),
            counts: Arc::clone(&self.counts),
            retained: OnceLock::new(),
        }
    }

    /// How long runs of its functions take.
    pub(crate) fn run_times(&self) -> &RunTimes {
        &self.counts.run_times
    }

    /// The task's code, if it is cached here and this call need not ask the runtime.
    pub(crate) fn code(&self) -> Option<Arc<P>> {
        self.code.get()
    }

    /// Caches the task's code until the runtime evicts it.
    pub(crate) fn cache_code(&self, code: &Arc<P>) {
        self.code.set(code);
    }

    /// Protects the task's artifact from eviction while the entry lives.
    pub(crate) fn retain(&self, retain: impl FnOnce() -> RetainGuard) {
        self.retained.get_or_init(retain);
    }

    /// Whether the task was deleted after this entry was looked up.
    pub(crate) fn is_deleted(&self) -> bool {
        self.counts.deleted.load(Ordering::SeqCst)
    }

    /// Counts an execution that was admitted.
    pub(crate) fn count_admitted(&self) {
        self.counts.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// Records how an execution ended.
    pub(crate) fn count_ended(&self, state: State, at: SystemTime) {
        let Some(index) = State::ALL.iter().position(|s| *s == state) else {
            unreachable!("State::ALL has every state")
        };
        let word = ids::unix_ms(at).saturating_mul(8) | index as u64;
        self.counts.last_end.fetch_max(word, Ordering::Relaxed);
    }

    /// The task as listings show it.
    pub(crate) fn view(&self) -> TaskView {
        let word = self.counts.last_end.load(Ordering::Relaxed);
        let ended = (word > 0).then(|| UNIX_EPOCH + Duration::from_millis(word / 8));
        TaskView {
            task: Arc::clone(&self.task),
            execution_count: self.counts.executions.load(Ordering::Relaxed),
            last_state: ended.and_then(|_| State::ALL.get((word % 8) as usize).copied()),
            updated_at: ended.unwrap_or(self.task.created_at),
        }
    }

    /// Marks the task as registered, since a call was admitted.
    pub(crate) fn register(&self) {
        self.counts.registered.store(true, Ordering::Release);
    }

    /// Marks the task as removed from the registry.
    pub(crate) fn mark_deleted(&self) {
        self.counts.deleted.store(true, Ordering::SeqCst);
    }

    /// Whether a call was ever admitted.
    pub(crate) fn is_registered(&self) -> bool {
        self.counts.registered.load(Ordering::Acquire)
    }
}

impl<P> CachedCode<P> {
    fn get(&self) -> Option<Arc<P>> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(CALLS_PER_PREPARE) {
            return None;
        }
        read(&self.code).upgrade()
    }

    fn set(&self, code: &Arc<P>) {
        if !std::ptr::eq(read(&self.code).as_ptr(), Arc::as_ptr(code)) {
            *write(&self.code) = Arc::downgrade(code);
        }
    }
}

impl<P> Default for CachedCode<P> {
    fn default() -> Self {
        Self { code: RwLock::default(), calls: AtomicU32::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_cached_until_the_runtime_evicts_it() {
        let cached = CachedCode::default();
        assert_eq!(cached.get(), None, "the first call asks the runtime");
        let code = Arc::new(7);
        cached.set(&code);
        for call in 1..3 * CALLS_PER_PREPARE {
            let asks_runtime = call.is_multiple_of(CALLS_PER_PREPARE);
            assert_eq!(cached.get(), (!asks_runtime).then(|| Arc::clone(&code)), "call {call}");
        }
        drop(code);
        assert_eq!((cached.get(), cached.get()), (None, None), "the runtime has evicted it");
    }
}
