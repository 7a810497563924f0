//! Runs one call: a fresh instance, armed before its first instruction, and
//! everything it did accounted for at its end.

use crate::bind::{Arguments, BoundCall};
use crate::code::{Code, Linked};
use crate::exports::Plan;
use crate::failure::{self, DeadlinePassed};
use crate::guest::{Guest, World};
use crate::json;
use crate::lift::{self, Returned};
use crate::limiter::Limiter;
use crate::output::Tap;
use crate::ticker::Ticker;
use bytes::Bytes;
use pilum_types::{
    CallLimits, Failure, FailureCode, FunctionName, InstanceId, Outcome, Output, Receipt, TaskName, Value,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{ComponentExportIndex, Func as ComponentFunc, InstancePre as ComponentPre, Val};
use wasmtime::{
    Engine, Extern, Func, InstancePre, ModuleExport, Store, StoreContextMut, UpdateDeadline, Val as CoreVal,
};

/// Epoch ticks between two looks at the deadline.
const TICKS_PER_YIELD: u64 = 1;
/// What a host call of a command may hand over beyond a whole result, in bytes: as
/// much as the longest request holds. Without it a command that reads its input,
/// or writes a result a little over its bound, in one piece would be told that
/// it is out of memory.
const COMMAND_HOSTCALL_BEYOND_BYTES: u64 = 8 << 20;
/// What a host call of a typed function may hand over at least, in bytes: its
/// streams take 64 KiB at a time, whatever its result may be. A result with a
/// smaller bound is checked once it is lifted.
const TYPED_HOSTCALL_MIN_BYTES: u64 = 128 << 10;

/// What a call runs under.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The task's name; a command's `argv[0]`.
    pub task: TaskName,
    /// The function's name; a command's `argv[1]`.
    pub function: FunctionName,
    /// The bounds.
    pub limits: CallLimits,
    /// The guest's environment variables.
    pub environment: Arc<[(String, String)]>,
    /// Is told each log line as soon as it is written.
    pub tap: Option<Tap>,
}

/// What the guest returned, or why it did not.
type Ended = Result<Output, CallError>;

enum CallError {
    Wasm(wasmtime::Error),
    Failed(Failure),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(error)
    }
}

pub(crate) async fn run(
    engine: &Engine,
    ticker: &Ticker,
    slots: &Semaphore,
    call: BoundCall,
    context: CallContext,
) -> Outcome {
    let arrived = Instant::now();
    let limits = context.limits;
    let deadline = arrived + limits.timeout;
    let Some(_slot) = slot(slots, deadline).await else {
        return refused(arrived, failure::deadline(&limits));
    };
    let _running = ticker.run();
    let BoundCall { code, function, arguments } = call;
    let (world, arguments) = world(context, arguments);
    let limiter = Limiter::new(limits.memory_max_bytes, limits.table_max_elements);
    let command = world.stdout_is_result;
    let mut store = Store::new(engine, Guest::new(limiter, deadline, world));
    if let Err(error) = arm(&mut store, &limits, command) {
        return refused(arrived, host_failure(&error));
    }
    let mut acquired = arrived;
    let driven = timeout_at(deadline, drive(&mut store, &code, function, arguments, &mut acquired)).await;
    let ended_at = Instant::now();
    let fuel_consumed = limits.fuel.map(|fuel| fuel - store.get_fuel().unwrap_or(0).min(fuel));
    let mut guest = store.into_data();
    let written = guest.take_written();
    let result = match driven {
        Err(_elapsed) => Err(failure::deadline(&limits)),
        Ok(Err(CallError::Failed(failure))) => Err(failure),
        Ok(Err(CallError::Wasm(error))) => match failure::read(&error, &guest, &limits) {
            Some(failure) => Err(failure),
            None if command => Ok(Output::Raw(Vec::new())),
            None => Err(Failure::new(
                FailureCode::GuestExit,
                "the function ended with exit code 0 instead of returning a result",
            )),
        },
        Ok(Ok(output)) => Ok(output),
    };
    let result = match result {
        Ok(Output::Raw(_)) if written.result_overflowed => Err(failure::result_too_large(&limits)),
        Ok(Output::Raw(_)) => Ok(Output::Raw(written.result)),
        Ok(Output::Typed(value)) if is_too_large(&value, &limits) => Err(failure::result_too_large(&limits)),
        typed_or_failed => typed_or_failed,
    };
    Outcome {
        result,
        receipt: Receipt {
            queue_wait: Duration::ZERO,
            acquire: acquired.saturating_duration_since(arrived),
            guest: ended_at.saturating_duration_since(acquired),
            fuel_consumed,
            peak_memory_bytes: guest.limiter.memory_peak_bytes(),
            attempt: 1,
            instance_calls: 1,
        },
        log: written.log,
        instance: Some(new_instance_id()),
    }
}

/// Runs a call with nothing around it but what wasmtime needs.
pub(crate) async fn run_bare(engine: &Engine, call: BoundCall, context: CallContext) -> Result<(), Failure> {
    let limits = context.limits;
    let BoundCall { code, function, arguments } = call;
    let (world, arguments) = world(context, arguments);
    let mut store = Store::new(engine, Guest::new(Limiter::default(), Instant::now(), world));
    store.set_epoch_deadline(u64::MAX / 2);
    if limits.fuel.is_some() {
        store.set_fuel(u64::MAX).map_err(|error| host_failure(&error))?;
    }
    match drive(&mut store, &code, function, arguments, &mut Instant::now()).await {
        Ok(_output) => Ok(()),
        Err(CallError::Failed(failure)) => Err(failure),
        Err(CallError::Wasm(error)) => match failure::read(&error, store.data(), &limits) {
            Some(failure) => Err(failure),
            None => Ok(()),
        },
    }
}

fn host_failure(error: &wasmtime::Error) -> Failure {
    Failure::new(FailureCode::HostError, format!("{error:#}"))
}

/// A slot, at once or by `deadline`.
async fn slot(slots: &Semaphore, deadline: Instant) -> Option<SemaphorePermit<'_>> {
    match slots.try_acquire() {
        Ok(slot) => Some(slot),
        Err(_taken) => timeout_at(deadline, slots.acquire()).await.ok()?.ok(),
    }
}

/// The outcome of a call that no instance could be made for.
fn refused(arrived: Instant, failure: Failure) -> Outcome {
    let receipt = Receipt { acquire: arrived.elapsed(), attempt: 1, ..Receipt::default() };
    Outcome { result: Err(failure), receipt, log: Vec::new(), instance: None }
}

fn world(context: CallContext, arguments: Arguments) -> (World, Arguments) {
    let CallContext { task, function, limits, environment, tap } = context;
    let mut world = World {
        environment,
        result_max_bytes: limits.result_max_bytes,
        log_max_bytes: limits.log_max_bytes,
        tap,
        ..World::default()
    };
    match arguments {
        Arguments::Command(stdin) => {
            world.arguments = vec![task.as_str().to_owned(), function.as_str().to_owned()];
            world.stdin = Bytes::from(stdin);
            world.stdout_is_result = true;
            (world, Arguments::Command(Vec::new()))
        }
        typed @ (Arguments::Core(_) | Arguments::Component(_)) => (world, typed),
    }
}

/// Puts every limit in place. Instantiation already runs guest code (start
/// functions, initialisers), so this comes before it.
fn arm(store: &mut Store<Guest>, limits: &CallLimits, command: bool) -> wasmtime::Result<()> {
    store.limiter(|guest| &mut guest.limiter);
    store.set_epoch_deadline(TICKS_PER_YIELD);
    store.epoch_deadline_callback(on_tick);
    store.set_hostcall_fuel(hostcall_bytes(limits, command));
    match limits.fuel {
        Some(fuel) => store.set_fuel(fuel),
        None => Ok(()),
    }
}

/// Bytes that may cross at once. A typed result does so whole, which is what
/// bounds it; what a command writes is bounded where it is kept.
fn hostcall_bytes(limits: &CallLimits, command: bool) -> usize {
    let bytes = if command {
        limits.result_max_bytes.saturating_add(COMMAND_HOSTCALL_BEYOND_BYTES)
    } else {
        limits.result_max_bytes.max(TYPED_HOSTCALL_MIN_BYTES)
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Whether a typed result is over a bound that is too small for lifting to enforce.
fn is_too_large(value: &Value, limits: &CallLimits) -> bool {
    limits.result_max_bytes < TYPED_HOSTCALL_MIN_BYTES && lift::bytes_of(value) > limits.result_max_bytes
}

/// Lets other calls run, or stops the guest. tokio's own yield also lets the
/// runtime look at its sockets and timers, so endless loops starve nobody.
#[expect(clippy::needless_pass_by_value, reason = "the signature is wasmtime's")]
fn on_tick(store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().deadline {
        Some(deadline) if Instant::now() >= deadline => Err(wasmtime::Error::new(DeadlinePassed)),
        Some(_) | None => {
            // Threads of the same core too, which the scheduler would otherwise
            // let wait for the rest of a slice of some 3 ms.
            std::thread::yield_now();
            Ok(UpdateDeadline::YieldCustom(TICKS_PER_YIELD, Box::pin(tokio::task::yield_now())))
        }
    }
}

/// Makes the instance, notes when it was ready, calls the function.
async fn drive(
    store: &mut Store<Guest>,
    code: &Code,
    function: usize,
    arguments: Arguments,
    acquired: &mut Instant,
) -> Ended {
    let plan = code.exports().plan(function).map(|(plan, _)| plan);
    match (code.linked(), plan, arguments) {
        (Linked::Core(pre), Some(Plan::Core { export, results, .. }), Arguments::Core(values)) => {
            let func = core_function(store, code, pre, export).await?;
            *acquired = Instant::now();
            // Toolchains emit one result at most; several need an allocation.
            let mut one = [CoreVal::I32(0)];
            let mut several = Vec::new();
            let returned = match one.get_mut(..*results) {
                Some(returned) => returned,
                None => {
                    several.resize(*results, CoreVal::I32(0));
                    several.as_mut_slice()
                }
            };
            func.call_async(&mut *store, &values, returned).await?;
            Ok(Output::Typed(lift::core(returned)))
        }
        (Linked::Core(pre), Some(Plan::CoreCommand { export }), Arguments::Command(_)) => {
            let func = core_function(store, code, pre, export).await?;
            *acquired = Instant::now();
            func.call_async(&mut *store, &[], &mut []).await?;
            Ok(Output::Raw(Vec::new()))
        }
        (
            Linked::Component(pre),
            Some(Plan::Component { export, result, .. }),
            Arguments::Component(values),
        ) => {
            let func = component_function(store, pre, export).await?;
            *acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            let expected = if result.is_some() { returned.as_mut_slice() } else { &mut [] };
            func.call_async(&mut *store, &values, expected).await?;
            let [returned] = returned;
            match lift::component(result.is_some().then_some(returned), result.as_ref()) {
                Returned::Value(value) => Ok(Output::Typed(value)),
                Returned::GuestError(value) => Err(CallError::Failed(Failure::new(
                    FailureCode::GuestError,
                    failure::cut(json::shown(value)),
                ))),
            }
        }
        (Linked::Component(pre), Some(Plan::ComponentCommand { export }), Arguments::Command(_)) => {
            let func = component_function(store, pre, export).await?;
            *acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            func.call_async(&mut *store, &[], &mut returned).await?;
            match returned {
                [Val::Result(Err(_))] => Err(CallError::Failed(Failure::new(
                    FailureCode::GuestExit,
                    "the command ended with an error and no exit code",
                ))),
                _ => Ok(Output::Raw(Vec::new())),
            }
        }
        _ => Err(host_error("the call does not fit the code it was bound to")),
    }
}

/// A fresh instance's export, with the instance initialised if it wants to be.
async fn core_function(
    store: &mut Store<Guest>,
    code: &Code,
    pre: &InstancePre<Guest>,
    export: &ModuleExport,
) -> Result<Func, CallError> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let find = |store: &mut Store<Guest>, export: &ModuleExport| {
        let found = instance.get_module_export(store, export).and_then(Extern::into_func);
        found.ok_or_else(|| host_error("an export of the module is gone"))
    };
    if let Some(initialize) = &code.exports().initialize {
        let initialize = find(store, initialize)?;
        initialize.call_async(&mut *store, &[], &mut []).await?;
    }
    find(store, export)
}

async fn component_function(
    store: &mut Store<Guest>,
    pre: &ComponentPre<Guest>,
    export: &ComponentExportIndex,
) -> Result<ComponentFunc, CallError> {
    let instance = pre.instantiate_async(&mut *store).await?;
    instance.get_func(store, export).ok_or_else(|| host_error("an export of the component is gone"))
}

fn host_error(message: &str) -> CallError {
    CallError::Failed(Failure::new(FailureCode::HostError, message))
}

fn new_instance_id() -> InstanceId {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    InstanceId::from_parts(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX), rand::random())
}
