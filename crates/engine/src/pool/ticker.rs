//! Advances the epoch every millisecond while any guest runs, and not at all
//! while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use wasmtime::Engine;

/// How often a running guest is made to yield. Short enough that cancelling
/// and fairness are felt as instant, long enough to cost nothing.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a guest before the thread sleeps. Under load the gap between
/// calls is shorter, so that a call need not wake the thread.
const IDLE_TICKS_MAX: u32 = 20;

/// The thread that ticks. Dropping it stops the thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    waker: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// A guest that runs. The epoch advances until it is dropped.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

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

    /// Announces a guest.
    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.waker.unpark();
        }
        Running(&self.shared)
    }
}

impl Shared {
    /// Sleeps until a guest runs. `parked` is set before `running` is read, and
    /// a guest does the two in the other order, so one of them sees the other.
    fn wait_for_guests(&self) {
        self.parked.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.waker.unpark();
        if let Some(thread) = self.thread.take() {
            // The thread ends within one round of idle ticks; a panic there
            // has nothing left to tell.
            let _ = thread.join();
        }
    }
}
