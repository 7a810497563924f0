//! What calls share: the slots instances live in, the shelves they stand on.

use crate::call::CallError;
use crate::code::Code;
use crate::guest::{Services, World};
use crate::instance::Instance;
use crate::shelf::{InUse, SWEEP_EVERY, Shelf, Shelves};
use crate::ticker::Ticker;
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

/// How long making an instance ahead of calls may take.
const MAKING_MAX: Duration = Duration::from_secs(10);

/// Shelves that are filled at once.
const MAKINGS_AT_ONCE: usize = 2;

/// A slot, and whether its call had to wait for it.
pub(crate) struct Slot {
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) waited: bool,
}

/// What calls share.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) services: Arc<Services>,
    /// One permit an instance that lives, so that a call waits where the pool
    /// would fail. Never closed.
    slots: Arc<Semaphore>,
    slots_max: usize,
    /// Calls that wait for a slot.
    waiting: AtomicUsize,
    /// Turns to make instances ahead of calls: that is nobody's execution, so it is
    /// bounded for all together.
    makings: Semaphore,
    pub(crate) shelves: Shelves,
    sweeping: AtomicBool,
    /// The sweep, and instances being made ahead of calls.
    tracker: TaskTracker,
    /// Cancelled when the engine goes.
    pub(crate) stop: CancellationToken,
}

impl House {
    pub(crate) fn new(engine: Engine, ticker: Ticker, services: Services, slots: u32) -> Self {
        Self {
            engine,
            ticker,
            services: Arc::new(services),
            slots: Arc::new(Semaphore::new(slots as usize)),
            slots_max: slots as usize,
            waiting: AtomicUsize::new(0),
            makings: Semaphore::new(MAKINGS_AT_ONCE),
            shelves: Shelves::default(),
            sweeping: AtomicBool::new(false),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A slot, at once or by `deadline`. What only stands ready makes way.
    pub(crate) async fn slot(&self, deadline: Instant) -> Option<Slot> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(Slot { permit, waited: false });
        }
        let _waits = Waits::new(&self.waiting);
        // Looked at once it is seen to wait: what is put back from now on is dropped.
        self.shelves.give_up_one();
        let permit = timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await.ok()?.ok()?;
        Some(Slot { permit, waited: true })
    }

    /// Puts an instance back that has served a call.
    pub(crate) fn put_back(&self, shelf: &Shelf, instance: Instance) {
        shelf.put_back(instance);
        self.make_way();
    }

    /// Gives up what has just been put on a shelf, or another, if a call has begun
    /// to wait for a slot: of the two, one sees the other.
    fn make_way(&self) {
        if self.is_full() {
            self.shelves.give_up_one();
        }
    }

    /// Whether a call waits for a slot, so that nothing must stand ready in one.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// The owner's shelf, if it has one: its policy asks for it, or its code is
    /// slow to instantiate.
    pub(crate) fn enter(
        self: &Arc<Self>,
        owner: &RevisionKey,
        code: &Arc<Code>,
        policy: &Policy,
        terms: impl FnOnce() -> (CallLimits, World),
    ) -> Option<InUse> {
        let instances = policy.instances;
        let asked = instances.reuse.is_some() || instances.idle_min > 0;
        if instances.idle_max == 0 || !(asked || code.is_slow()) {
            return None;
        }
        self.begin_sweeping();
        Some(self.shelves.of(owner, code, instances).enter(terms))
    }

    /// Has as many instances stand ready as the policy asks for at least.
    pub(crate) fn warm(
        self: &Arc<Self>,
        owner: &RevisionKey,
        code: &Arc<Code>,
        policy: &Arc<Policy>,
        limits: CallLimits,
    ) {
        let terms = || (limits, World::ahead(owner, policy, &limits));
        if let Some(in_use) = self.enter(owner, code, policy, terms) {
            let shelf = Arc::clone(in_use.shelf());
            drop(in_use);
            self.fill(&shelf);
        }
    }

    /// Makes what the shelf lacks, beside everything else.
    pub(crate) fn fill(self: &Arc<Self>, shelf: &Arc<Shelf>) {
        if shelf.begin_filling() {
            let (house, shelf) = (Arc::clone(self), Arc::clone(shelf));
            let stop = self.stop.clone();
            drop(self.tracker.spawn(async move {
                let filling = Filling(shelf);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = house.make_all(&filling.0) => {}
                }
            }));
        }
    }

    async fn make_all(&self, shelf: &Shelf) {
        // Never closed.
        let Ok(_turn) = self.makings.acquire().await else { return };
        // A quarter of the slots is left to calls, whatever is wanted.
        while let Some((limits, world)) = shelf.next_terms()
            && !self.is_full()
            && self.slots.available_permits() > self.slots_max / 4
            && let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned()
        {
            match self.make(shelf.code(), &limits, world, slot).await {
                Ok(instance) => {
                    shelf.put(instance);
                    self.make_way();
                }
                // The next call meets the same, and tells its caller.
                Err(_failed) => {
                    shelf.could_not_make();
                    break;
                }
            }
        }
    }

    async fn make(
        &self,
        code: &Arc<Code>,
        limits: &CallLimits,
        world: World,
        slot: OwnedSemaphorePermit,
    ) -> Result<Instance, CallError> {
        let _running = self.ticker.run();
        let began = Instant::now();
        let deadline = began + MAKING_MAX;
        let mut instance = Instance::new(&self.engine, Arc::clone(&self.services), Some(slot));
        instance.begin(limits, deadline, world)?;
        match timeout_at(deadline, instance.instantiate(code)).await {
            Ok(made) => made?,
            Err(_elapsed) => return Err(crate::instance::unfit()),
        }
        instance.is_ready();
        code.was_instantiated(began.elapsed());
        Ok(instance)
    }

    /// Looks through the shelves for as long as there are any.
    fn begin_sweeping(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let house = Arc::clone(self);
        drop(self.tracker.spawn(async move {
            let mut due = tokio::time::interval(SWEEP_EVERY);
            loop {
                tokio::select! {
                    () = house.stop.cancelled() => return,
                    _ = due.tick() => {}
                }
                for shelf in house.shelves.sweep() {
                    house.fill(&shelf);
                }
                if house.shelves.len().0 == 0 {
                    house.sweeping.store(false, Ordering::Release);
                    // A shelf may have come in between.
                    if house.shelves.len().0 == 0 || house.sweeping.swap(true, Ordering::AcqRel) {
                        return;
                    }
                }
            }
        }));
    }
}

/// A shelf being filled, until this is dropped.
struct Filling(Arc<Shelf>);

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.end_filling();
    }
}

/// A call that waits, counted until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
