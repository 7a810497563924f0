//! What the doors and the workers share.

use crate::alarm::Alarm;
use crate::estimate::{self, Mean};
use crate::finished::Finished;
use crate::gauge::Gauge;
use crate::handle::Handles;
use crate::janitor::SWEEP_EVERY;
use crate::ledger::Ledger;
use crate::registry::Registry;
use crate::stats::{Calls, Counters};
use crate::task_entry::TaskEntry;
use crate::watch::Watchers;
use crate::{
    CallContext, Clock, Execution, Invocation, Mode, RequestError, RequestField, Runtime, Settings, Store,
    StoreError,
};
use futures::FutureExt as _;
use pilum_types::{CallLimits, Failure, FailureCode, FunctionName, Outcome, Policy, State, TenantId, Usage};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The soonest a refused caller is told to try again: often enough to get in,
/// seldom enough to leave the host its work.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Everything executions live in.
#[derive(Debug)]
pub(crate) struct Core<R: Runtime, S> {
    pub(crate) runtime: R,
    pub(crate) store: S,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) tasks: Registry<R::Prepared>,
    pub(crate) ledger: Ledger,
    /// One permit per synchronous call that may run. Closed by the drain, which
    /// turns away those that wait and those to come.
    pub(crate) slots: Semaphore,
    pub(crate) counters: Counters,
    pub(crate) calls: Calls,
    /// The run time of everything.
    pub(crate) mean: Mean,
    /// How long the store takes to give out work.
    pub(crate) claims: Mean,
    /// The run time of asynchronous attempts.
    pub(crate) attempts: Mean,
    /// When the latest of them freed its runner: nanoseconds of uptime.
    pub(crate) freed: AtomicU64,
    /// Stops asynchronous runs.
    pub(crate) handles: Handles,
    /// Held by a call while it has the store keep a new task and is admitted, so
    /// that no other takes the task out of the store again in between.
    pub(crate) keeping: tokio::sync::Mutex<()>,
    /// One permit for each asynchronous execution that may run. Closed by the
    /// drain: what is claimed and has not begun is handed back.
    pub(crate) runners: Semaphore,
    /// Executions claimed that run or wait for a runner.
    pub(crate) active: Gauge,
    /// Those, and those whose end is being written.
    pub(crate) held: Gauge,
    /// Who follows which execution.
    pub(crate) watchers: Arc<Watchers>,
    /// What ended lately.
    pub(crate) finished: Finished,
    /// Tells the dispatcher that something waits or that there is room. A wake
    /// that finds it busy is kept.
    pub(crate) wake: Notify,
    /// Tells whoever delivers callbacks that one is due.
    pub(crate) callback_due: Notify,
    /// Wakes the dispatcher when something becomes due.
    pub(crate) alarm: Alarm,
    /// The dispatcher, its runs, the alarm, the janitor, and synchronous calls
    /// that run. Closed and waited for by the drain.
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the drain begins: nothing more is claimed.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the drain's time is up: what runs is handed back.
    pub(crate) abort: CancellationToken,
}

/// What a call may take, after defaults and bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// What the caller asked for.
    timeout: Option<Duration>,
    default: Duration,
    max: Duration,
    pub(crate) max_retries: u32,
}

impl Terms {
    /// The timeout of a call of a task with this policy.
    pub(crate) fn timeout(&self, policy: &Policy) -> Duration {
        self.timeout.or(policy.limits.timeout).unwrap_or(self.default).min(self.max)
    }
}

impl<R: Runtime, S: Store> Core<R, S> {
    pub(crate) fn new(runtime: R, store: S, settings: Settings) -> Self {
        let slots = settings.sync.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        let runners = settings.asynchronous.max_concurrent_executions.min(Semaphore::MAX_PERMITS);
        Self {
            runtime,
            clock: store.clock(),
            store,
            tasks: Registry::new(settings.max_tasks),
            ledger: Ledger::default(),
            slots: Semaphore::new(slots),
            counters: Counters::default(),
            calls: Calls::default(),
            mean: Mean::default(),
            claims: Mean::default(),
            attempts: Mean::default(),
            freed: AtomicU64::new(0),
            handles: Handles::default(),
            keeping: tokio::sync::Mutex::default(),
            runners: Semaphore::new(runners),
            active: Gauge::default(),
            held: Gauge::default(),
            watchers: Arc::default(),
            finished: Finished::default(),
            wake: Notify::new(),
            callback_due: Notify::new(),
            alarm: Alarm::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            settings,
        }
    }

    /// Whether new work is refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.slots.is_closed()
    }

    /// The call's bounds.
    ///
    /// # Errors
    /// When it asks for more than the host grants.
    pub(crate) fn terms(&self, invocation: &Invocation) -> Result<Terms, RequestError> {
        let (default, max) = match invocation.mode {
            Mode::Sync | Mode::Stream => (self.settings.sync.default_timeout, self.settings.sync.max_timeout),
            Mode::Async => {
                (self.settings.asynchronous.default_timeout, self.settings.asynchronous.max_timeout)
            }
        };
        if invocation.timeout.is_some_and(|asked| asked > max) {
            let reason = format!("must be at most {} ms", max.as_millis());
            return Err(RequestError::InvalidArgument { field: RequestField::Timeout, reason });
        }
        let bound = self.settings.asynchronous.max_retries;
        let max_retries = invocation.max_retries.unwrap_or(bound);
        if max_retries > bound {
            let reason = format!("must be at most {bound}");
            return Err(RequestError::InvalidArgument { field: RequestField::MaxRetries, reason });
        }
        Ok(Terms { timeout: invocation.timeout, default, max, max_retries })
    }

    /// A slot for a synchronous call, at once or within the bound.
    pub(crate) async fn slot(&self) -> Result<(SemaphorePermit<'_>, Duration), RequestError> {
        match self.slots.try_acquire() {
            Ok(slot) => return Ok((slot, Duration::ZERO)),
            Err(TryAcquireError::Closed) => return Err(RequestError::Draining),
            Err(TryAcquireError::NoPermits) => {}
        }
        let began = Instant::now();
        match tokio::time::timeout(self.settings.sync.slot_wait, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok((slot, began.elapsed())),
            Ok(Err(_closed)) => Err(RequestError::Draining),
            Err(_elapsed) => {
                let slots = self.settings.sync.max_concurrent_requests;
                Err(RequestError::NoSlot { slots, retry_after: self.retry_after(slots) })
            }
        }
    }

    /// When one of `at_once` runners is likely to be free.
    pub(crate) fn retry_after(&self, at_once: usize) -> Duration {
        let mean = self.mean.get().unwrap_or_default();
        estimate::share(mean, 1, at_once).max(RETRY_AFTER_MIN)
    }

    /// The limits of an attempt that may take `timeout`, of a task with this policy.
    pub(crate) fn limits(&self, timeout: Duration, policy: &Policy) -> CallLimits {
        let host = &self.settings.limits;
        let own = |asked: Option<u64>, max: u64| asked.map_or(max, |asked| asked.min(max));
        CallLimits {
            timeout,
            memory_max_bytes: own(policy.limits.memory_max_bytes, host.memory_max_bytes),
            result_max_bytes: own(policy.limits.result_max_bytes, host.result_max_bytes),
            log_max_bytes: own(policy.limits.log_max_bytes, host.log_max_bytes),
            ..*host
        }
    }

    /// The environment of a call of a task with this policy: the task's, with the
    /// caller's on top.
    pub(crate) fn environment(policy: &Policy, own: &Arc<[(String, String)]>) -> Arc<[(String, String)]> {
        match (policy.environment.is_empty(), own.is_empty()) {
            (true, _) => Arc::clone(own),
            (false, true) => Arc::clone(&policy.environment),
            (false, false) => {
                let kept = policy.environment.iter().filter(|(name, _)| own.iter().all(|(n, _)| n != name));
                kept.chain(own.iter()).cloned().collect()
            }
        }
    }

    /// Runs one attempt. A panic below becomes its failure.
    pub(crate) fn run(&self, call: R::Call, context: CallContext) -> impl Future<Output = Outcome> {
        unwinding(self.runtime.run(call, context)).map(|ran| {
            ran.unwrap_or_else(|_panic| {
                failed(Failure::new(FailureCode::HostError, "the host failed while it ran the call"))
            })
        })
    }

    /// Learns from an attempt that ran to its own end.
    pub(crate) fn learn(&self, entry: &TaskEntry<R::Prepared>, function: &FunctionName, took: Duration) {
        self.mean.record(took);
        entry.runs().record(function, took);
    }

    /// Takes note of how an asynchronous execution stands now.
    pub(crate) fn changed(&self, execution: &Arc<Execution>) {
        if execution.state.is_terminal() {
            let Execution { tenant, task_id, function, state, completed_at, .. } = &**execution;
            let entry = self.tasks.get(tenant, task_id);
            let at = completed_at.unwrap_or_else(|| self.clock.now());
            self.count_ended(entry.as_deref(), tenant, function, *state, at);
            self.finished.keep(execution);
            self.callback_due.notify_one();
        }
        self.watchers.publish(execution);
    }

    /// Counts an execution that ended.
    pub(crate) fn count_ended(
        &self,
        entry: Option<&TaskEntry<R::Prepared>>,
        tenant: &TenantId,
        function: &FunctionName,
        state: State,
        at: SystemTime,
    ) {
        self.counters.count_ended(state);
        self.calls.count(tenant, function);
        if let Some(entry) = entry {
            entry.count_ended(state, at);
        }
    }
}

/// Runs `future` to its end, or to a panic, whose text it logs and returns. No
/// `async fn`, as that would hold `future` twice: as it was given, and as it runs.
pub(crate) fn unwinding<T>(future: impl Future<Output = T>) -> impl Future<Output = Result<T, String>> {
    // What is shared is behind locks that bear a panic, see `lock.rs`.
    AssertUnwindSafe(future).catch_unwind().map(|ended| {
        ended.map_err(|panic| {
            let text = panic_text(&*panic).to_owned();
            tracing::error!(panic = text, "the host panicked");
            text
        })
    })
}

/// An outcome of nothing but a failure.
pub(crate) fn failed(failure: Failure) -> Outcome {
    Outcome { result: Err(failure), usage: Usage::default(), log: Vec::new(), instance: None }
}

/// The outcome of what somebody cancelled.
pub(crate) fn cancelled(reason: &str) -> Outcome {
    failed(Failure::new(FailureCode::Cancelled, reason))
}

/// What a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace(text) => {
                tracing::error!(text, "the disk is full");
                Self::DiskFull { retry_after: SWEEP_EVERY }
            }
            error @ (StoreError::Stale(_) | StoreError::Failed(_)) => Self::Internal(error.to_string()),
        }
    }
}
