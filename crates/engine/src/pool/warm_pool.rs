//! Warm pools: instances for the next calls of a revision. They were made before those
//! calls, or left by earlier calls where the revision reuses instances.
//!
//! Most code is instantiated in microseconds and needs no warm pool. A revision gets one
//! when its policy asks for it or when its code is slow to instantiate. How many
//! instances a pool holds follows from how many calls were under way at once in the
//! last seconds.

use crate::code::prepared::Code;
use crate::guest::env::GuestEnv;
use crate::pool::instance::Instance;
use pilum_call::RevisionKey;
use pilum_types::{CallLimits, InstancePolicy};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often warm pools are swept.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sweeps in one window of demand. A pool remembers the demand of two windows, so that
/// a pause of so many seconds costs no warm instance.
const SWEEPS_PER_WINDOW: u32 = 15;
/// How old an instance may get that no call has used. Old instances are replaced where
/// they are wanted, so that a fault in making them shows soon.
const UNUSED_AGE_MAX: Duration = Duration::from_secs(600);

/// The pause after an instance could not be made. It doubles with each failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// How often the pause doubles. This bounds it to 512 s.
const FAILURE_DOUBLINGS_MAX: u32 = 8;

/// The warm pools of all revisions.
#[derive(Default)]
pub(crate) struct WarmPools {
    /// Held to find a pool, and by the sweep to list the pools.
    by_revision: Mutex<HashMap<RevisionKey, Arc<WarmPool>>>,
}

/// The warm instances of one revision.
pub(crate) struct WarmPool {
    code: Arc<Code>,
    policy: InstancePolicy,
    /// Held to add or take an instance.
    state: Mutex<State>,
}

/// A call that counts as demand for a warm pool until this is dropped.
pub(crate) struct Demand(Arc<WarmPool>);

/// What an instance is made with before its call is known.
#[derive(Clone)]
pub(crate) struct InstanceSetup {
    /// The limits; its calls must have the same memory bound.
    pub(crate) limits: CallLimits,
    /// The environment.
    pub(crate) env: GuestEnv,
}

struct State {
    idle: Vec<Instance>,
    /// How new instances are set up; `None` before the first call.
    setup: Option<InstanceSetup>,
    /// Calls under way.
    in_use: usize,
    /// The most calls under way at once in this window.
    peak: usize,
    /// The same for the window before.
    peak_before: usize,
    sweeps: u32,
    /// Whether a task fills the pool.
    filling: bool,
    /// How many times in a row an instance could not be made.
    failures: u32,
    /// When the next instance may be made, after a failure.
    next_try: Option<Instant>,
    /// Set when the pool is removed. It then takes no more instances.
    closed: bool,
}

impl WarmPools {
    /// The warm pool of a revision. It is made if the revision has none.
    pub(crate) fn get_or_create(
        &self,
        revision: &RevisionKey,
        code: &Arc<Code>,
        policy: InstancePolicy,
    ) -> Arc<WarmPool> {
        let mut by_revision = locked(&self.by_revision);
        if let Some(pool) = by_revision.get(revision).filter(|pool| Arc::ptr_eq(&pool.code, code)) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(WarmPool::new(Arc::clone(code), policy));
        let replaced = by_revision.insert(revision.clone(), Arc::clone(&pool));
        drop(by_revision);
        // The code was evicted and prepared again. The instances of the old pool are of
        // the evicted code.
        if let Some(replaced) = replaced {
            replaced.close();
        }
        pool
    }

    /// Drops a revision's pool with its instances.
    pub(crate) fn remove(&self, revision: &RevisionKey) {
        let removed = locked(&self.by_revision).remove(revision);
        if let Some(pool) = removed {
            pool.close();
        }
    }

    /// Drops one idle instance of the largest pool, because a call found every slot
    /// taken.
    pub(crate) fn drop_one_idle(&self) {
        let largest = {
            let by_revision = locked(&self.by_revision);
            by_revision.values().max_by_key(|pool| locked(&pool.state).idle.len()).cloned()
        };
        if let Some(pool) = largest {
            let dropped = locked(&pool.state).idle.pop();
            drop(dropped);
        }
    }

    /// Drops instances that are too old or no longer wanted, and pools that are no
    /// longer needed. Returns the pools that lack instances.
    pub(crate) fn sweep(&self) -> Vec<Arc<WarmPool>> {
        let pools: Vec<(RevisionKey, Arc<WarmPool>)> = locked(&self.by_revision)
            .iter()
            .map(|(revision, pool)| (revision.clone(), Arc::clone(pool)))
            .collect();
        let mut lacking = Vec::new();
        for (revision, pool) in pools {
            if pool.sweep() {
                self.remove(&revision);
            } else if pool.lacks_instances() {
                lacking.push(pool);
            }
        }
        lacking
    }

    /// Whether there are no pools.
    pub(crate) fn is_empty(&self) -> bool {
        locked(&self.by_revision).is_empty()
    }

    /// How many idle instances all pools hold together.
    pub(crate) fn idle_instances(&self) -> usize {
        locked(&self.by_revision).values().map(|pool| locked(&pool.state).idle.len()).sum()
    }
}

impl WarmPool {
    /// The code of its instances.
    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.code
    }

    /// Registers a call, which counts as demand until the returned value is dropped. `setup` is
    /// used for new instances if this is the first call.
    pub(crate) fn register_call(self: Arc<Self>, setup: impl FnOnce() -> InstanceSetup) -> Demand {
        let mut state = locked(&self.state);
        state.in_use += 1;
        state.peak = state.peak.max(state.in_use);
        if state.setup.is_none() {
            state.setup = Some(setup());
        }
        drop(state);
        Demand(self)
    }

    /// An idle instance that suits the call. The one that was used last is preferred,
    /// because its memory is still in the processor's caches. `unused_only` asks for an
    /// instance that no call has used.
    pub(crate) fn take(&self, limits: &CallLimits, env: &GuestEnv, unused_only: bool) -> Option<Instance> {
        let mut state = locked(&self.state);
        let suits =
            |instance: &Instance| instance.suits(limits, env) && (!unused_only || instance.calls() == 0);
        let index = state.idle.iter().rposition(suits)?;
        Some(state.idle.remove(index))
    }

    /// Takes back an instance that has served a call, if it may serve another one.
    pub(crate) fn give_back(&self, instance: Instance) {
        let Some(reuse) = self.policy.reuse else { return };
        let is_used_up =
            instance.calls() >= u64::from(reuse.calls_max) || instance.made_at().elapsed() >= reuse.age_max;
        let mut state = locked(&self.state);
        if !is_used_up && !state.closed && state.idle.len() < self.policy.idle_max as usize {
            state.idle.push(instance);
        }
    }

    /// Adds a new instance.
    pub(crate) fn add(&self, instance: Instance) {
        let mut state = locked(&self.state);
        (state.failures, state.next_try) = (0, None);
        if !state.closed {
            state.idle.push(instance);
        }
    }

    /// Notes that an instance could not be made. Each failure in a row makes the pause
    /// before the next try longer.
    pub(crate) fn note_failure(&self) {
        let mut state = locked(&self.state);
        state.failures += 1;
        let pause = FAILURE_PAUSE * 2_u32.saturating_pow(state.failures.min(FAILURE_DOUBLINGS_MAX));
        state.next_try = Some(Instant::now() + pause);
    }

    /// Begins to fill the pool; false if it lacks nothing or is being filled already.
    pub(crate) fn begin_filling(&self) -> bool {
        let mut state = locked(&self.state);
        let begins = !state.filling && self.missing(&state) > 0;
        state.filling |= begins;
        begins
    }

    /// How to set up the next new instance; `None` if the pool lacks nothing.
    pub(crate) fn next_setup(&self) -> Option<InstanceSetup> {
        let state = locked(&self.state);
        let lacks_one = self.missing(&state) > 0;
        state.setup.clone().filter(|_| lacks_one)
    }

    /// Ends the filling.
    pub(crate) fn end_filling(&self) {
        locked(&self.state).filling = false;
    }

    fn new(code: Arc<Code>, policy: InstancePolicy) -> Self {
        let state = State {
            idle: Vec::new(),
            setup: None,
            in_use: 0,
            peak: 0,
            peak_before: 0,
            sweeps: 0,
            filling: false,
            failures: 0,
            next_try: None,
            closed: false,
        };
        Self { code, policy, state: Mutex::new(state) }
    }

    fn lacks_instances(&self) -> bool {
        self.missing(&locked(&self.state)) > 0
    }

    /// How many instances the pool lacks and may make now.
    fn missing(&self, state: &State) -> usize {
        let pauses = state.next_try.is_some_and(|at| Instant::now() < at);
        if state.closed || pauses {
            0
        } else {
            self.wanted_in_all(state).saturating_sub(state.idle.len() + state.in_use)
        }
    }

    /// How many instances are wanted, idle and in use together.
    fn wanted_in_all(&self, state: &State) -> usize {
        let (min, max) = (self.policy.idle_min as usize, self.policy.idle_max as usize);
        let peak = state.peak.max(state.peak_before);
        match self.policy.reuse {
            // An instance in use comes back when its call ends.
            Some(_) => min,
            // An instance in use is dropped when its call ends, so it is not one of those
            // that the next calls need.
            None => peak.clamp(min, max.max(min)) + state.in_use,
        }
    }

    /// Drops instances that are too old or too many. Returns whether the pool is no
    /// longer needed.
    fn sweep(&self) -> bool {
        let mut state = locked(&self.state);
        state.sweeps += 1;
        if state.sweeps.is_multiple_of(SWEEPS_PER_WINDOW) {
            state.peak_before = state.peak;
            state.peak = state.in_use;
        }
        let age_max = self.policy.reuse.map_or(UNUSED_AGE_MAX, |reuse| reuse.age_max);
        let wanted_idle = match self.policy.reuse {
            Some(_) => state.peak.max(state.peak_before).max(self.policy.idle_min as usize),
            None => self.wanted_in_all(&state) - state.in_use,
        };
        let mut dropped: Vec<Instance> =
            state.idle.extract_if(.., |instance| instance.made_at().elapsed() >= age_max).collect();
        let excess = state.idle.len().saturating_sub(wanted_idle);
        // The oldest instances are at the front.
        dropped.extend(state.idle.drain(..excess));
        let is_unneeded = state.idle.is_empty()
            && state.in_use == 0
            && state.peak == 0
            && state.peak_before == 0
            && self.policy.idle_min == 0;
        // Dropping instances takes a while, so it is done without the lock.
        drop(state);
        drop(dropped);
        is_unneeded
    }

    fn close(&self) {
        let idle = {
            let mut state = locked(&self.state);
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        drop(idle);
    }
}

impl Demand {
    /// The warm pool.
    pub(crate) fn pool(&self) -> &Arc<WarmPool> {
        &self.0
    }
}

impl Drop for Demand {
    fn drop(&mut self) {
        locked(&self.0.state).in_use -= 1;
    }
}

/// The data behind these locks is whole at every moment, so a poisoned lock is used on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
