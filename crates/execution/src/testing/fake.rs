//! A runtime without wasm and a host around it, for this crate's tests.

use crate::{
    AsyncSettings, BindError, CallContext, Execution, Executions, Invocation, MemoryStore, Mode,
    PrepareError, Reply, RequestError, Runtime, Schedule, Settings, Store, SyncSettings, Target, TaskSpec,
};
use pilum_types::{
    ArtifactSource, CallLimits, Digest, ExecutionId, Failure, FailureCode, FunctionName, Grants, InstanceId,
    Outcome, Output, Parameter, State, TaskName, TenantId, Usage, Value,
};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A runtime with these functions:
/// - `echo` returns its first parameter;
/// - `sleep` takes as many milliseconds as its first parameter says;
/// - `gate` waits for [`FakeRuntime::open_gate`];
/// - `flaky` returns an error as often as `failures` says, then a result;
/// - `trap` traps, `panic` panics, and `bind-panic` panics before it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeRuntime(Arc<FakeState>);

#[derive(Debug)]
pub(crate) struct FakeState {
    pub(crate) prepares: AtomicUsize,
    pub(crate) runs: AtomicUsize,
    /// The number of runs under way, and the highest number so far.
    pub(crate) inside: AtomicUsize,
    pub(crate) inside_max: AtomicUsize,
    /// How often `flaky` still fails.
    pub(crate) failures: AtomicU32,
    /// Whether no artifact can be fetched, and whether no artifact has its checksum.
    pub(crate) unavailable: AtomicBool,
    pub(crate) corrupt: AtomicBool,
    /// How long each preparation takes.
    pub(crate) prepare_takes: Mutex<Duration>,
    /// The timeouts of all runs, in order.
    pub(crate) timeouts: Mutex<Vec<Duration>>,
    /// One permit for each run that has entered its function.
    entered: Semaphore,
    gate: Semaphore,
}

#[derive(Debug)]
pub(crate) struct Code(Digest);

#[derive(Debug)]
pub(crate) struct Call {
    function: String,
    first: Value,
}

/// A host over the fake runtime.
pub(crate) struct TestHost<S = MemoryStore> {
    pub(crate) fake: FakeRuntime,
    pub(crate) executions: Arc<Executions<FakeRuntime, S>>,
}

impl Default for FakeState {
    fn default() -> Self {
        Self {
            prepares: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            inside_max: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            unavailable: AtomicBool::new(false),
            corrupt: AtomicBool::new(false),
            prepare_takes: Mutex::default(),
            timeouts: Mutex::default(),
            entered: Semaphore::new(0),
            gate: Semaphore::new(0),
        }
    }
}

impl std::ops::Deref for FakeRuntime {
    type Target = FakeState;

    fn deref(&self) -> &FakeState {
        &self.0
    }
}

impl FakeRuntime {
    /// Waits until `runs` more runs have entered their function.
    pub(crate) async fn wait_for_runs(&self, runs: u32) {
        self.entered.acquire_many(runs).await.unwrap().forget();
    }

    /// Lets this many runs through `gate`.
    pub(crate) fn open_gate(&self, runs: usize) {
        self.gate.add_permits(runs);
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    async fn work(&self, call: &Call) -> Result<Output, Failure> {
        match call.function.as_str() {
            "sleep" => match call.first {
                Value::Signed(ms) => tokio::time::sleep(Duration::from_millis(ms as u64)).await,
                _ => unreachable!("sleep takes milliseconds"),
            },
            "gate" => self.gate.acquire().await.unwrap().forget(),
            "flaky" => {
                let left = self.failures.load(SeqCst);
                if left > 0 {
                    self.failures.store(left - 1, SeqCst);
                    return Err(Failure::new(FailureCode::GuestError, format!("{left} to go")));
                }
            }
            "trap" => return Err(Failure::new(FailureCode::TrapUnreachable, "unreachable")),
            "panic" => panic!("a bug in the host"),
            _ => {}
        }
        Ok(Output::Typed(call.first.clone()))
    }
}

impl Runtime for FakeRuntime {
    type Prepared = Code;
    type Call = Call;

    async fn prepare(&self, source: &ArtifactSource, _: &Grants) -> Result<Arc<Code>, PrepareError> {
        self.prepares.fetch_add(1, SeqCst);
        let takes = *self.prepare_takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if self.unavailable.load(SeqCst) {
            return Err(PrepareError::Unavailable("no route".into()));
        }
        let found = digest(&source.location);
        match source.checksum {
            Some(expected) if expected != found || self.corrupt.load(SeqCst) => {
                Err(PrepareError::ChecksumMismatch { expected, found })
            }
            _ => Ok(Arc::new(Code(found))),
        }
    }

    fn digest(&self, prepared: &Code) -> Digest {
        prepared.0
    }

    fn bind(
        &self,
        _: &Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<Call, BindError> {
        let name = function.as_str().to_owned();
        assert!(name != "bind-panic", "a bug in the host");
        if !["echo", "sleep", "gate", "flaky", "trap", "panic"].contains(&name.as_str()) {
            return Err(BindError::FunctionNotFound { name, exported: vec!["echo: func()".into()] });
        }
        if parameters.iter().any(|p| p.name == "bad") {
            return Err(BindError::Parameter { path: "bad".into(), reason: "is unknown".into() });
        }
        let first = parameters.into_iter().next().map_or(Value::Null, |p| p.value);
        Ok(Call { function: name, first })
    }

    async fn run(&self, call: Call, context: CallContext) -> Outcome {
        struct Inside<'a>(&'a FakeRuntime);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                self.0.inside.fetch_sub(1, SeqCst);
            }
        }
        self.runs.fetch_add(1, SeqCst);
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        let _inside = Inside(self);
        self.inside_max.fetch_max(inside, SeqCst);
        self.timeouts.lock().unwrap().push(context.limits.timeout);
        self.entered.add_permits(1);
        let began = Instant::now();
        let result = match tokio::time::timeout(context.limits.timeout, self.work(&call)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(FailureCode::DeadlineExceeded, "the timeout is over")),
        };
        Outcome {
            result,
            usage: Usage { guest: began.elapsed(), instance_calls: 1, ..Usage::default() },
            log: Vec::new(),
            instance: Some(InstanceId::from_parts(1, 1)),
        }
    }
}

impl TestHost {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::over(MemoryStore::new(), change)
    }
}

impl<S: Store> TestHost<S> {
    pub(crate) fn over(store: S, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let fake = FakeRuntime::default();
        Self { executions: Executions::start(fake.clone(), store, settings).expect("the host starts"), fake }
    }

    pub(crate) async fn invoke(&self, invocation: Invocation) -> Result<Reply, RequestError> {
        self.executions.invoke(invocation).await
    }

    /// Runs a call that ends; returns its execution.
    pub(crate) async fn finish(&self, invocation: Invocation) -> Arc<Execution> {
        match self.invoke(invocation).await {
            Ok(Reply::Finished(execution)) => execution,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    /// Submits an asynchronous call that is accepted.
    pub(crate) async fn submit(&self, invocation: Invocation) -> ExecutionId {
        match self.invoke(Invocation { mode: Mode::Async, ..invocation }).await {
            Ok(Reply::Pending { execution, .. }) => execution.id.clone(),
            other => panic!("expected acceptance, got {other:?}"),
        }
    }

    /// Spawns an invocation.
    pub(crate) fn spawn(
        &self,
        invocation: Invocation,
    ) -> tokio::task::JoinHandle<Result<Reply, RequestError>> {
        let executions = Arc::clone(&self.executions);
        spawn(async move { executions.invoke(invocation).await })
    }

    pub(crate) async fn get(&self, id: &ExecutionId) -> Option<Arc<Execution>> {
        self.executions.query().execution(&TenantId::default(), id).await.unwrap()
    }

    /// Reads the execution every millisecond of paused time until it is in the wanted state.
    pub(crate) async fn wait_for(&self, id: &ExecutionId, wanted: State) -> Arc<Execution> {
        loop {
            let execution = self.get(id).await.expect("the execution exists");
            if execution.state == wanted {
                return execution;
            }
            assert!(!execution.state.is_terminal(), "it ended {}, not {wanted}", execution.state);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asserts that no slot, no handle and no run is left.
    pub(crate) fn assert_nothing_held(&self) {
        self.executions.assert_nothing_held();
        assert_eq!(self.fake.inside.load(SeqCst), 0, "guests are left running");
    }

    pub(crate) fn task_names(&self) -> Vec<String> {
        let tasks = self.executions.tasks().list(&TenantId::default(), "", "", 100);
        tasks.iter().map(|view| view.task.spec.name.as_str().to_owned()).collect()
    }
}

/// Spawns a caller, which is not part of the host.
#[expect(clippy::disallowed_methods, reason = "the caller of a test belongs to no tracker")]
pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// A synchronous call of a function of the task `t`.
pub(crate) fn call(function: &str) -> Invocation {
    Invocation {
        tenant: TenantId::default(),
        target: Target::New(spec("t", "file:a")),
        function: FunctionName::parse(function).unwrap(),
        parameters: Vec::new(),
        mode: Mode::Sync,
        execution_id: None,
        timeout: None,
        max_retries: None,
        environment: [].into(),
        force_new_instance: false,
        schedule: Schedule::default(),
        callback: None,
    }
}

/// A call of `sleep`.
pub(crate) fn sleep(ms: i64) -> Invocation {
    Invocation { parameters: vec![parameter(Value::Signed(ms))], ..call("sleep") }
}

/// The same call with an id that the client supplies.
pub(crate) fn with_id(id: &str, invocation: Invocation) -> Invocation {
    Invocation { execution_id: Some(execution_id(id)), ..invocation }
}

pub(crate) fn execution_id(id: &str) -> ExecutionId {
    ExecutionId::parse(id).unwrap()
}

pub(crate) fn parameter(value: Value) -> Parameter {
    Parameter { name: String::new(), type_name: String::new(), value }
}

pub(crate) fn spec(name: &str, location: &str) -> TaskSpec {
    TaskSpec {
        name: TaskName::parse(name).unwrap(),
        description: String::new(),
        source: ArtifactSource { location: location.into(), checksum: None },
        artifact: Default::default(),
        metadata: Vec::new(),
        policy: Arc::default(),
    }
}

/// The digest of the artifact at a location. A location with the suffix `-copy` has the same one.
pub(crate) fn digest(location: &str) -> Digest {
    let bytes = location.trim_end_matches("-copy").bytes();
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(bytes) {
        *place = byte;
    }
    Digest::from_bytes(digest)
}

pub(crate) fn settings() -> Settings {
    Settings {
        sync: SyncSettings {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(60),
            max_concurrent_requests: 4,
            slot_wait: Duration::from_secs(2),
            enable_retries: false,
        },
        asynchronous: AsyncSettings {
            default_timeout: Duration::from_secs(3600),
            max_timeout: Duration::from_secs(7200),
            max_queue_size: 10,
            max_concurrent_executions: 2,
            status_retention: Duration::from_secs(24 * 3600),
            dead_letter_retention: Duration::from_secs(7 * 24 * 3600),
            enable_retries: true,
            max_retries: 3,
        },
        limits: CallLimits {
            timeout: Duration::ZERO,
            memory_max_bytes: 1 << 20,
            table_max_elements: 100,
            result_max_bytes: 1 << 20,
            log_max_bytes: 1 << 10,
            fuel: None,
        },
        max_tasks: 3,
        check_callback: |url| if url.contains("inner") { Err("is not public".into()) } else { Ok(()) },
    }
}
