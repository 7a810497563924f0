//! One registered task, with what is counted about it.

use crate::estimate::Runs;
use crate::lock::{read, write};
use crate::{RetainGuard, Task, TaskView, ids};
use pilum_types::State;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Of so many calls of a task, one asks the runtime for its code although it is
/// at hand: the runtime evicts what nobody asks for.
const CALLS_PER_ASKING: u32 = 64;

/// A task with what is counted about it.
#[derive(Debug)]
pub(crate) struct TaskEntry<P> {
    /// The task.
    pub(crate) task: Arc<Task>,
    /// The code as a call last found it.
    code: LastCode<P>,
    /// What is counted over all its revisions.
    counts: Arc<Counts>,
    /// Set once, when the task gets its place; lets its artifact go with it.
    retained: OnceLock<RetainGuard>,
}

/// What is counted of a task, and whether it is there.
#[derive(Debug, Default)]
struct Counts {
    runs: Runs,
    executions: AtomicU64,
    /// The latest end: milliseconds since 1970 times 8, plus the state's place
    /// in [`State::ALL`]. In one word so that the latest end wins whole.
    last_end: AtomicU64,
    /// Whether a call has been admitted, which is what registers a task.
    registered: AtomicBool,
    deleted: AtomicBool,
}

/// Code that a call has found ready. The runtime owns it: once that has evicted
/// it, it is gone from here too.
#[derive(Debug)]
struct LastCode<P> {
    /// Written when the code was made anew.
    code: RwLock<Weak<P>>,
    calls: AtomicU32,
}

impl<P> TaskEntry<P> {
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task: Arc::new(task),
            code: LastCode::default(),
            counts: Arc::default(),
            retained: OnceLock::new(),
        }
    }

    /// The same task with another revision in force: with its own code, and all
    /// that was counted.
    pub(crate) fn revised(&self, task: Arc<Task>) -> Self {
        Self { task, code: LastCode::default(), counts: Arc::clone(&self.counts), retained: OnceLock::new() }
    }

    /// How long its functions' runs take.
    pub(crate) fn runs(&self) -> &Runs {
        &self.counts.runs
    }

    /// The task's code, if it is still ready and need not be asked for.
    pub(crate) fn code(&self) -> Option<Arc<P>> {
        self.code.get()
    }

    /// Remembers the task's code for as long as the runtime keeps it.
    pub(crate) fn found_code(&self, code: &Arc<P>) {
        self.code.set(code);
    }

    /// Holds the task's artifact for as long as the task is known.
    pub(crate) fn retain(&self, retain: impl FnOnce() -> RetainGuard) {
        self.retained.get_or_init(retain);
    }

    /// Whether it has been deleted since it was looked up.
    pub(crate) fn is_deleted(&self) -> bool {
        self.counts.deleted.load(Ordering::SeqCst)
    }

    /// Counts an execution that was admitted.
    pub(crate) fn count_admitted(&self) {
        self.counts.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// Remembers how an execution ended.
    pub(crate) fn count_ended(&self, state: State, at: SystemTime) {
        let place = State::ALL.iter().position(|s| *s == state).unwrap_or_default();
        let word = ids::unix_ms(at).saturating_mul(8) | place as u64;
        self.counts.last_end.fetch_max(word, Ordering::Relaxed);
    }

    /// What listings show.
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

    /// Says that a call of it was admitted.
    pub(crate) fn register(&self) {
        self.counts.registered.store(true, Ordering::Release);
    }

    /// Says that it is gone from the registry.
    pub(crate) fn delete(&self) {
        self.counts.deleted.store(true, Ordering::SeqCst);
    }

    /// Whether a call of it was ever admitted.
    pub(crate) fn is_registered(&self) -> bool {
        self.counts.registered.load(Ordering::Acquire)
    }
}

impl<P> LastCode<P> {
    fn get(&self) -> Option<Arc<P>> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(CALLS_PER_ASKING) {
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

impl<P> Default for LastCode<P> {
    fn default() -> Self {
        Self { code: RwLock::default(), calls: AtomicU32::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_at_hand_while_the_runtime_keeps_it() {
        let last = LastCode::default();
        assert_eq!(last.get(), None, "the first call asks");
        let code = Arc::new(7);
        last.set(&code);
        for call in 1..3 * CALLS_PER_ASKING {
            let asked = call.is_multiple_of(CALLS_PER_ASKING);
            assert_eq!(last.get(), (!asked).then(|| Arc::clone(&code)), "call {call}");
        }
        drop(code);
        assert_eq!((last.get(), last.get()), (None, None), "it was evicted");
    }
}
