//! Instances that stand ready for the next call of a task: made ahead of it, or
//! left by the one before where the task reuses them.
//!
//! Most code is instantiated in microseconds and has no shelf. A task gets one when
//! its policy asks for it or when its code is slow to instantiate. How many stand
//! ready follows from how many calls were under way at once of late.

use crate::code::Code;
use crate::guest::World;
use crate::instance::Instance;
use pilum_call::RevisionKey;
use pilum_types::{CallLimits, InstancePolicy};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often shelves are looked through.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sweeps over which the demand is remembered: a pause of so many seconds costs
/// nobody a ready instance.
const SWEEPS_PER_WINDOW: u32 = 15;
/// How long an instance that was made ahead may stand. Old ones are replaced
/// where they are wanted, so that a fault in making them shows soon.
const READY_AGE_MAX: Duration = Duration::from_secs(600);

/// The pause after an instance could not be made, which doubles, and how often.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
const FAILURE_DOUBLINGS_MAX: u32 = 8;

/// All shelves.
#[derive(Default)]
pub(crate) struct Shelves {
    /// Held for a look-up, and by the sweep for a look at each shelf.
    by_owner: Mutex<HashMap<RevisionKey, Arc<Shelf>>>,
}

/// The ready instances of one owner.
pub(crate) struct Shelf {
    code: Arc<Code>,
    policy: InstancePolicy,
    /// Held for a push or a pop.
    state: Mutex<State>,
}

struct State {
    idle: Vec<Instance>,
    /// What those to be made are made with: as the first call would have it.
    terms: Option<(CallLimits, World)>,
    in_use: usize,
    /// Most in use at once in this window, and in the one before.
    peak: usize,
    peak_before: usize,
    sweeps: u32,
    filling: bool,
    /// How often in a row making one failed, and when it is tried again.
    failures: u32,
    next_try: Option<Instant>,
    closed: bool,
}

/// A call's use of a shelf. Ends when it is dropped.
pub(crate) struct InUse(Arc<Shelf>);

impl Shelves {
    /// The shelf of an owner, made if there is none.
    pub(crate) fn of(&self, owner: &RevisionKey, code: &Arc<Code>, policy: InstancePolicy) -> Arc<Shelf> {
        let mut by_owner = locked(&self.by_owner);
        if let Some(shelf) = by_owner.get(owner).filter(|shelf| Arc::ptr_eq(&shelf.code, code)) {
            return Arc::clone(shelf);
        }
        let shelf = Arc::new(Shelf::new(Arc::clone(code), policy));
        let other = by_owner.insert(owner.clone(), Arc::clone(&shelf));
        drop(by_owner);
        // The code was evicted and made anew: what stands there is of the old one.
        if let Some(other) = other {
            other.close();
        }
        shelf
    }

    /// Drops an owner's shelf and what stands on it.
    pub(crate) fn remove(&self, owner: &RevisionKey) {
        let removed = locked(&self.by_owner).remove(owner);
        if let Some(shelf) = removed {
            shelf.close();
        }
    }

    /// Drops one ready instance of whoever has most, for a call that finds every
    /// slot taken; whether there was one.
    pub(crate) fn give_up_one(&self) -> bool {
        let fullest = {
            let by_owner = locked(&self.by_owner);
            by_owner.values().max_by_key(|shelf| locked(&shelf.state).idle.len()).cloned()
        };
        fullest.is_some_and(|shelf| {
            let given_up = locked(&shelf.state).idle.pop();
            given_up.is_some()
        })
    }

    /// Drops what is too old or not wanted any more, and says which shelves lack
    /// something.
    pub(crate) fn sweep(&self) -> Vec<Arc<Shelf>> {
        let shelves: Vec<(RevisionKey, Arc<Shelf>)> =
            locked(&self.by_owner).iter().map(|(owner, shelf)| (owner.clone(), Arc::clone(shelf))).collect();
        let mut lacking = Vec::new();
        for (owner, shelf) in shelves {
            if shelf.sweep() {
                self.remove(&owner);
            } else if shelf.lacks() {
                lacking.push(shelf);
            }
        }
        lacking
    }

    /// How many shelves there are, and how many instances stand on them.
    pub(crate) fn len(&self) -> (usize, usize) {
        let by_owner = locked(&self.by_owner);
        (by_owner.len(), by_owner.values().map(|shelf| locked(&shelf.state).idle.len()).sum())
    }
}

impl Shelf {
    fn new(code: Arc<Code>, policy: InstancePolicy) -> Self {
        let state = State {
            idle: Vec::new(),
            terms: None,
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

    /// The code its instances are of.
    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.code
    }

    /// Takes part: the call counts as demand until the answer is dropped.
    pub(crate) fn enter(self: Arc<Self>, terms: impl FnOnce() -> (CallLimits, World)) -> InUse {
        let mut state = locked(&self.state);
        state.in_use += 1;
        state.peak = state.peak.max(state.in_use);
        if state.terms.is_none() {
            state.terms = Some(terms());
        }
        drop(state);
        InUse(self)
    }

    /// A ready instance that suits the call, the one used last first: its memory
    /// is the warmest. `unused` wants one that no call has used.
    pub(crate) fn take(&self, limits: &CallLimits, world: &World, unused: bool) -> Option<Instance> {
        let mut state = locked(&self.state);
        let fits = |instance: &Instance| instance.suits(limits, world) && (!unused || instance.calls() == 0);
        let place = state.idle.iter().rposition(fits)?;
        Some(state.idle.remove(place))
    }

    /// Puts an instance back that has served a call, if it may serve another.
    pub(crate) fn put_back(&self, instance: Instance) {
        let Some(reuse) = self.policy.reuse else { return };
        let spent =
            instance.calls() >= u64::from(reuse.calls_max) || instance.made_at().elapsed() >= reuse.age_max;
        let mut state = locked(&self.state);
        if !spent && !state.closed && state.idle.len() < self.policy.idle_max as usize {
            state.idle.push(instance);
        }
    }

    /// Puts a new instance on the shelf.
    pub(crate) fn put(&self, instance: Instance) {
        let mut state = locked(&self.state);
        (state.failures, state.next_try) = (0, None);
        if !state.closed {
            state.idle.push(instance);
        }
    }

    /// Notes that an instance could not be made: the next try comes later each time.
    pub(crate) fn could_not_make(&self) {
        let mut state = locked(&self.state);
        state.failures += 1;
        let pause = FAILURE_PAUSE * 2_u32.saturating_pow(state.failures.min(FAILURE_DOUBLINGS_MAX));
        state.next_try = Some(Instant::now() + pause);
    }

    /// Begins to fill, if something is lacking and nobody is at it: with what.
    pub(crate) fn begin_filling(&self) -> bool {
        let mut state = locked(&self.state);
        let begins = !state.filling && self.lacking(&state) > 0;
        state.filling |= begins;
        begins
    }

    /// What the next instance is made with, while one is lacking.
    pub(crate) fn next_terms(&self) -> Option<(CallLimits, World)> {
        let state = locked(&self.state);
        let lacking = self.lacking(&state) > 0;
        state.terms.clone().filter(|_| lacking)
    }

    /// Ends the filling.
    pub(crate) fn end_filling(&self) {
        locked(&self.state).filling = false;
    }

    fn lacks(&self) -> bool {
        self.lacking(&locked(&self.state)) > 0
    }

    fn lacking(&self, state: &State) -> usize {
        let waits = state.next_try.is_some_and(|at| Instant::now() < at);
        if state.closed || waits {
            0
        } else {
            self.wanted(state).saturating_sub(state.idle.len() + state.in_use)
        }
    }

    /// How many are wanted, ready or in use. An instance that is reused comes back.
    fn wanted(&self, state: &State) -> usize {
        let (min, max) = (self.policy.idle_min as usize, self.policy.idle_max as usize);
        let peak = state.peak.max(state.peak_before);
        match self.policy.reuse {
            Some(_) => min,
            // One in use goes at its end, so it does not count as ready.
            None => peak.clamp(min, max.max(min)) + state.in_use,
        }
    }

    /// Drops what is too old or too much; whether nobody needs the shelf any more.
    fn sweep(&self) -> bool {
        let mut state = locked(&self.state);
        state.sweeps += 1;
        if state.sweeps.is_multiple_of(SWEEPS_PER_WINDOW) {
            state.peak_before = state.peak;
            state.peak = state.in_use;
        }
        let age_max = self.policy.reuse.map_or(READY_AGE_MAX, |reuse| reuse.age_max);
        let wanted = match self.policy.reuse {
            Some(_) => state.peak.max(state.peak_before).max(self.policy.idle_min as usize),
            None => self.wanted(&state) - state.in_use,
        };
        let mut gone: Vec<Instance> =
            state.idle.extract_if(.., |i| i.made_at().elapsed() >= age_max).collect();
        let too_many = state.idle.len().saturating_sub(wanted);
        // The oldest stand first.
        gone.extend(state.idle.drain(..too_many));
        let unused = state.idle.is_empty()
            && state.in_use == 0
            && state.peak == 0
            && state.peak_before == 0
            && self.policy.idle_min == 0;
        drop(state);
        drop(gone);
        unused
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

impl InUse {
    /// The shelf.
    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        locked(&self.0.state).in_use -= 1;
    }
}

/// What is behind these locks is whole at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
