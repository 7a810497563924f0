//! Advances the epoch every millisecond while a guest runs, and not at all while none
//! runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use wasmtime::Engine;

/// How often a running guest yields. It is short enough that nobody notices the delay
/// of a cancellation or of another call, and long enough to cost nothing.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a guest after which the thread sleeps. Under load the gaps between
/// calls are shorter, so that no call has to wake the thread.
const IDLE_TICKS_MAX: u32 = 20;

/// The thread that advances the epoch. Dropping the ticker stops the thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    waker: Thread,
}

/// A running guest. The epoch advances until this is dropped.
#[derive(Debug)]
pub(crate) struct RunningGuest<'a>(&'a Shared);

#[derive(Debug, Default)]
struct Shared {
    /// How many guests run.
    running: AtomicUsize,
    /// Whether the thread sleeps.
    parked: AtomicBool,
    /// Tells the thread to end.
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, state) = (engine.weak(), shared.clone());
        let thread = std::thread::Builder::new().name("pilum-epoch".into()).spawn(move || {
            while !state.stop.load(Ordering::Relaxed) {
                state.wait_for_guests();
                let mut idle_ticks = 0;
                while idle_ticks < IDLE_TICKS_MAX {
                    std::thread::park_timeout(TICK);
                    let Some(engine) = engine.upgrade() else { return };
                    engine.increment_epoch();
                    let idle = state.running.load(Ordering::Relaxed) == 0;
                    idle_ticks = if idle { idle_ticks + 1 } else { 0 };
                }
            }
        })?;
        let waker = thread.thread().clone();
        Ok(Self { shared, thread: Some(thread), waker })
    }

    /// Whether a guest runs, or has run within the last ticks.
    pub(crate) fn is_ticking(&self) -> bool {
        !self.shared.parked.load(Ordering::Relaxed)
    }

    /// Registers a guest that is about to run.
    pub(crate) fn register_guest(&self) -> RunningGuest<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.waker.unpark();
        }
        RunningGuest(&self.shared)
    }
}

impl Shared {
    /// Sleeps until a guest runs. The thread sets `parked` before it reads `running`, and
    /// a guest does the two in the other order, so at least one of them sees the other.
    fn wait_for_guests(&self) {
        self.parked.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

impl Drop for RunningGuest<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.waker.unpark();
        if let Some(thread) = self.thread.take() {
            // The thread ends within one round of idle ticks. If it panicked, nothing is
            // left to do here.
            let _ = thread.join();
        }
    }
}
