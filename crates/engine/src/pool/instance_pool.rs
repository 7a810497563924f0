//! The instances of all calls: the slots that bound how many exist, and the warm pools
//! that hold idle ones.

use crate::code::prepared::Code;
use crate::error::{CallError, DeadlinePassed};
use crate::guest::env::GuestEnv;
use crate::guest::services::Services;
use crate::pool::instance::Instance;
use crate::pool::ticker::Ticker;
use crate::pool::warm_pool::{Demand, InstanceSetup, SWEEP_EVERY, WarmPool, WarmPools};
use pilum_call::RevisionKey;
use pilum_types::{CallLimits, Policy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime::Engine;

/// How long it may take to make an instance before its call.
const CREATION_MAX: Duration = Duration::from_secs(10);
/// Warm pools that are filled at once. Filling belongs to no execution, so no tenant's
/// quota bounds it.
const FILLED_AT_ONCE: usize = 2;
/// Warm pools leave one part in so many of the slots to calls.
const CALLS_SLOTS_DIVISOR: usize = 4;

/// The instances of all calls.
pub(crate) struct InstancePool {
    /// Makes the instances.
    pub(crate) engine: Engine,
    /// Advances the epoch.
    pub(crate) ticker: Ticker,
    /// What the host offers to guests.
    pub(crate) services: Arc<Services>,
    /// Instances that were made before their calls.
    pub(crate) warm_pools: WarmPools,
    /// Cancelled when the engine is shut down or dropped.
    pub(crate) stop: CancellationToken,
    /// One permit for each instance that exists, so that a call waits here where
    /// wasmtime's own pool would fail. Never closed.
    slots: Arc<Semaphore>,
    slots_max: usize,
    /// Calls that wait for a slot.
    waiting: AtomicUsize,
    /// One permit for each warm pool that is being filled. Never closed.
    filling: Semaphore,
    /// Whether the sweep runs.
    sweeping: AtomicBool,
    /// The sweep, and the tasks that fill warm pools.
    tracker: TaskTracker,
}

/// A place for one instance.
pub(crate) struct Slot {
    /// Frees the slot when it is dropped.
    pub(crate) permit: OwnedSemaphorePermit,
    /// Whether the call had to wait for the slot.
    pub(crate) waited: bool,
}

/// A warm pool that is being filled until this is dropped.
struct Filling(Arc<WarmPool>);

/// A call that is counted as waiting until this is dropped.
struct WaitingCall<'a>(&'a AtomicUsize);

impl InstancePool {
    pub(crate) fn new(engine: Engine, ticker: Ticker, services: Services, slots: u32) -> Self {
        Self {
            engine,
            ticker,
            services: Arc::new(services),
            warm_pools: WarmPools::default(),
            stop: CancellationToken::new(),
            slots: Arc::new(Semaphore::new(slots as usize)),
            slots_max: slots as usize,
            waiting: AtomicUsize::new(0),
            filling: Semaphore::new(FILLED_AT_ONCE),
            sweeping: AtomicBool::new(false),
            tracker: TaskTracker::new(),
        }
    }

    /// A slot, at once or by `deadline`; `None` if no slot is free by then. Idle
    /// instances give up their slots to calls.
    pub(crate) async fn acquire_slot(&self, deadline: Instant) -> Option<Slot> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(Slot { permit, waited: false });
        }
        let _waiting = WaitingCall::new(&self.waiting);
        // The call is counted as waiting before this, so that an instance that is given
        // back from now on is dropped too.
        self.warm_pools.drop_one_idle();
        let acquired = timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await.ok()?;
        let Ok(permit) = acquired else { unreachable!("the semaphore of slots is never closed") };
        Some(Slot { permit, waited: true })
    }

    /// Stops the sweep and the filling of warm pools, and waits until both have ended.
    pub(crate) async fn shut_down(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Registers a call with the revision's warm pool. `None` if the revision has no
    /// warm pool: its policy asks for none and its code is fast to instantiate.
    pub(crate) fn register_call(
        self: &Arc<Self>,
        revision: &RevisionKey,
        code: &Arc<Code>,
        policy: &Policy,
        setup: impl FnOnce() -> InstanceSetup,
    ) -> Option<Demand> {
        let instances = policy.instances;
        let is_asked_for = instances.reuse.is_some() || instances.idle_min > 0;
        if instances.idle_max == 0 || !(is_asked_for || code.is_slow_to_instantiate()) {
            return None;
        }
        self.start_sweeping();
        Some(self.warm_pools.get_or_create(revision, code, instances).register_call(setup))
    }

    /// Gives back an instance that has served a call.
    pub(crate) fn give_back(&self, warm_pool: &WarmPool, instance: Instance) {
        warm_pool.give_back(instance);
        self.drop_one_idle_if_calls_wait();
    }

    /// Fills the revision's warm pool with as many instances as the policy asks for.
    pub(crate) fn warm(
        self: &Arc<Self>,
        revision: &RevisionKey,
        code: &Arc<Code>,
        policy: &Arc<Policy>,
        limits: CallLimits,
    ) {
        let setup = || InstanceSetup { limits, env: GuestEnv::before_a_call(revision, policy) };
        if let Some(demand) = self.register_call(revision, code, policy, setup) {
            let warm_pool = Arc::clone(demand.pool());
            drop(demand);
            self.fill(&warm_pool);
        }
    }

    /// Makes the instances that the warm pool lacks, in a task of its own.
    pub(crate) fn fill(self: &Arc<Self>, warm_pool: &Arc<WarmPool>) {
        if warm_pool.begin_filling() {
            let (pool, warm_pool) = (Arc::clone(self), Arc::clone(warm_pool));
            let stop = self.stop.clone();
            drop(self.tracker.spawn(async move {
                let filling = Filling(warm_pool);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = pool.create_missing(&filling.0) => {}
                }
            }));
        }
    }

    /// Drops an idle instance if a call waits for a slot. An instance that becomes idle
    /// and a call that begins to wait at the same moment cannot miss each other: the
    /// instance is added before `waiting` is read here, and the call counts itself as
    /// waiting before it looks for an idle instance.
    fn drop_one_idle_if_calls_wait(&self) {
        if self.calls_wait() {
            self.warm_pools.drop_one_idle();
        }
    }

    fn calls_wait(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    async fn create_missing(&self, warm_pool: &WarmPool) {
        let Ok(_permit) = self.filling.acquire().await else {
            unreachable!("the semaphore of warm pools being filled is never closed");
        };
        while let Some(setup) = warm_pool.next_setup()
            && !self.calls_wait()
            && self.slots.available_permits() > self.slots_max / CALLS_SLOTS_DIVISOR
            && let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned()
        {
            match self.create(warm_pool.code(), setup, slot).await {
                Ok(instance) => {
                    warm_pool.add(instance);
                    self.drop_one_idle_if_calls_wait();
                }
                // The next call meets the same error and reports it to its caller.
                Err(_reported_later) => {
                    warm_pool.note_failure();
                    break;
                }
            }
        }
    }

    async fn create(
        &self,
        code: &Arc<Code>,
        InstanceSetup { limits, env }: InstanceSetup,
        slot: OwnedSemaphorePermit,
    ) -> Result<Instance, CallError> {
        let _running = self.ticker.register_guest();
        let began = Instant::now();
        let deadline = began + CREATION_MAX;
        let mut instance = Instance::new(&self.engine, Arc::clone(&self.services), slot);
        instance.begin(&limits, deadline, env)?;
        match timeout_at(deadline, instance.instantiate(code)).await {
            Ok(instantiated) => instantiated?,
            Err(_elapsed) => return Err(CallError::Wasm(wasmtime::Error::new(DeadlinePassed))),
        }
        instance.mark_unused();
        code.record_instantiation(began.elapsed());
        Ok(instance)
    }

    /// Sweeps the warm pools for as long as there are any.
    fn start_sweeping(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::clone(self);
        drop(self.tracker.spawn(async move {
            let mut due = tokio::time::interval(SWEEP_EVERY);
            loop {
                tokio::select! {
                    () = pool.stop.cancelled() => return,
                    _ = due.tick() => {}
                }
                for warm_pool in pool.warm_pools.sweep() {
                    pool.fill(&warm_pool);
                }
                if pool.warm_pools.is_empty() {
                    pool.sweeping.store(false, Ordering::Release);
                    // A warm pool may have been made before the store above.
                    if pool.warm_pools.is_empty() || pool.sweeping.swap(true, Ordering::AcqRel) {
                        return;
                    }
                }
            }
        }));
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.end_filling();
    }
}

impl<'a> WaitingCall<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
