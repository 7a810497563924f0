//! Runs one call: gives it an instance, calls the function within the call's limits,
//! and reports what the call used.

use crate::call::bind::{Arguments, BoundCall};
use crate::call::{failure, handler};
use crate::code::exports::Plan;
use crate::code::prepared::Code;
use crate::error::CallError;
use crate::guest::env::GuestEnv;
use crate::guest::output::Written;
use crate::pool::instance::{Instance, TYPED_HOSTCALL_MIN_BYTES};
use crate::pool::instance_pool::InstancePool;
use crate::pool::warm_pool::{Demand, InstanceSetup};
use crate::values::json;
use crate::values::lift::{self, Returned};
use pilum_call::{CallContext, OutputMode};
use pilum_types::{CallLimits, Failure, FailureCode, Outcome, Output, Usage, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use wasmtime::Val as CoreVal;
use wasmtime::component::Val;

/// What is noted while a function is called.
struct Progress {
    /// When the instance was ready.
    acquired: Instant,
    /// Whether the instance may serve another call.
    keep: bool,
}

/// Runs a call to its end within its limits.
pub(crate) async fn run(pool: &Arc<InstancePool>, call: BoundCall, context: CallContext) -> Outcome {
    let arrived = Instant::now();
    let limits = context.limits;
    let deadline = arrived + limits.timeout;
    let BoundCall { code, function, arguments } = call;
    let demand = pool.register_call(&context.revision, &code, &context.policy, || InstanceSetup {
        limits,
        env: GuestEnv::before_a_call(&context.revision, &context.policy),
    });
    let unused_only = context.force_new_instance;
    let reuse = context.policy.instances.reuse.is_some() && !unused_only;
    let output = context.output.clone();
    let (env, arguments) = split(context, arguments);
    let is_command = env.command.is_some();
    let warm = demand.as_ref().and_then(|demand| demand.pool().take(&limits, &env, unused_only));
    // Whether the time until the instance is ready is the time that its code takes.
    let mut is_measured = false;
    let mut instance = match warm {
        Some(warm) => warm,
        None => match pool.acquire_slot(deadline).await {
            Some(slot) => {
                is_measured = !slot.waited;
                Instance::new(&pool.engine, Arc::clone(&pool.services), slot.permit)
            }
            None => return without_instance(arrived, failure::deadline(&limits)),
        },
    };
    let _running = pool.ticker.register_guest();
    if let Err(error) = instance.begin(&limits, deadline, env) {
        return without_instance(arrived, host_failure(error));
    }
    // A command runs once from its start to its end, so its instance is not reused.
    let mut progress = Progress { acquired: arrived, keep: reuse && !is_command };
    let called = call_function(&mut instance, &code, function, arguments, &output, &limits, &mut progress);
    let ended = timeout_at(deadline, called).await;
    let ended_at = Instant::now();
    if is_measured && progress.acquired > arrived {
        code.record_instantiation(progress.acquired.saturating_duration_since(arrived));
    }
    let written = instance.store.data_mut().take_written();
    let ended = result_of(ended, &instance, is_command, &limits, &mut progress.keep);
    let Written { result, result_overflowed, log } = written;
    let outcome = Outcome {
        result: ended.and_then(|output| bounded(output, result, result_overflowed, &limits)),
        usage: Usage {
            queue_wait: Duration::ZERO,
            acquire: progress.acquired.saturating_duration_since(arrived),
            guest: ended_at.saturating_duration_since(progress.acquired),
            fuel_consumed: fuel_consumed(&instance, &limits),
            peak_memory_bytes: instance.store.data().limiter.memory_peak_bytes(),
            attempt: 1,
            instance_calls: instance.calls(),
        },
        log,
        instance: Some(instance.id()),
    };
    if let Some(demand) = demand {
        give_back(pool, demand, instance, progress.keep);
    }
    outcome
}

/// Runs a call as wasmtime alone would, without what [`run`] adds.
pub(crate) async fn run_bare(
    pool: &InstancePool,
    call: BoundCall,
    context: CallContext,
) -> Result<(), Failure> {
    let limits = context.limits;
    let output = OutputMode::Collect;
    let BoundCall { code, function, arguments } = call;
    let (_env, arguments) = split(context, arguments);
    let mut instance = Instance::bare(&pool.engine, limits.fuel).map_err(host_failure)?;
    let mut progress = Progress { acquired: Instant::now(), keep: false };
    match call_function(&mut instance, &code, function, arguments, &output, &limits, &mut progress).await {
        Ok(_output) => Ok(()),
        Err(CallError::Failed(failure)) => Err(failure),
        Err(CallError::Wasm(error)) => {
            failure::of(&error, instance.store.data(), &limits).map_or(Ok(()), Err)
        }
    }
}

/// The environment of a call, and the arguments of its function. A command's input
/// moves into the environment.
fn split(context: CallContext, arguments: Arguments) -> (GuestEnv, Arguments) {
    match arguments {
        Arguments::Command(stdin) => (GuestEnv::new(context, Some(stdin)), Arguments::Command(Vec::new())),
        others @ (Arguments::Core(_) | Arguments::Component(_) | Arguments::Request(_)) => {
            (GuestEnv::new(context, None), others)
        }
    }
}

/// The outcome of a call that got no instance.
fn without_instance(arrived: Instant, failure: Failure) -> Outcome {
    let usage = Usage { acquire: arrived.elapsed(), attempt: 1, ..Usage::default() };
    Outcome { result: Err(failure), usage, log: Vec::new(), instance: None }
}

fn host_failure(error: CallError) -> Failure {
    match error {
        CallError::Failed(failure) => failure,
        CallError::Wasm(error) => Failure::new(FailureCode::HostError, format!("{error:#}")),
    }
}

/// The result of a call that has ended or timed out. Clears `keep` if the instance must
/// not serve another call.
fn result_of(
    ended: Result<Result<Output, CallError>, Elapsed>,
    instance: &Instance,
    is_command: bool,
    limits: &CallLimits,
    keep: &mut bool,
) -> Result<Output, Failure> {
    match ended {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(CallError::Failed(failure))) => {
            *keep &= failure.code == FailureCode::GuestError;
            Err(failure)
        }
        Ok(Err(CallError::Wasm(error))) => {
            *keep = false;
            match failure::of(&error, instance.store.data(), limits) {
                Some(failure) => Err(failure),
                None if is_command => Ok(Output::Raw(Vec::new())),
                None => Err(Failure::new(
                    FailureCode::GuestExit,
                    "the function ended with exit code 0 instead of returning a result",
                )),
            }
        }
        Err(_elapsed) => {
            *keep = false;
            Err(failure::deadline(limits))
        }
    }
}

/// The output of a call, if it is within its bound. `written` is a command's output.
fn bounded(
    output: Output,
    written: Vec<u8>,
    overflowed: bool,
    limits: &CallLimits,
) -> Result<Output, Failure> {
    match output {
        Output::Raw(_) if overflowed => Err(failure::result_too_large(limits)),
        Output::Raw(_) => Ok(Output::Raw(written)),
        Output::Typed(value) if is_too_large(&value, limits) => Err(failure::result_too_large(limits)),
        output @ (Output::Typed(_) | Output::Response { .. }) => Ok(output),
    }
}

/// Whether a typed result is over a bound that is too small to be enforced by lifting.
fn is_too_large(value: &Value, limits: &CallLimits) -> bool {
    limits.result_max_bytes < TYPED_HOSTCALL_MIN_BYTES && lift::bytes_of(value) > limits.result_max_bytes
}

/// Units of fuel that a metered call consumed.
fn fuel_consumed(instance: &Instance, limits: &CallLimits) -> Option<u64> {
    let fuel = limits.fuel?;
    let Ok(left) = instance.store.get_fuel() else {
        unreachable!("setting the fuel succeeded, so the engine is metered");
    };
    Some(fuel - left.min(fuel))
}

/// Gives the instance back to its warm pool if it may serve another call, drops it
/// otherwise, and fills the pool.
fn give_back(pool: &Arc<InstancePool>, demand: Demand, instance: Instance, keep: bool) {
    let warm_pool = Arc::clone(demand.pool());
    if keep && !instance.store.data().is_busy() {
        pool.give_back(&warm_pool, instance);
    } else {
        drop(instance);
    }
    drop(demand);
    pool.fill(&warm_pool);
}

/// Instantiates the code if need be, notes when the instance was ready, and calls the
/// function.
async fn call_function(
    instance: &mut Instance,
    code: &Code,
    function: usize,
    arguments: Arguments,
    output: &OutputMode,
    limits: &CallLimits,
    progress: &mut Progress,
) -> Result<Output, CallError> {
    instance.instantiate(code).await?;
    match (code.exports().plan(function), arguments) {
        (Some(Plan::Core { export, results, .. }), Arguments::Core(values)) => {
            let func = instance.core_function(export)?;
            progress.acquired = Instant::now();
            // Toolchains emit one result at most. Several results need an allocation.
            let mut one = [CoreVal::I32(0)];
            let mut several = Vec::new();
            let returned = match one.get_mut(..*results) {
                Some(returned) => returned,
                None => {
                    several.resize(*results, CoreVal::I32(0));
                    several.as_mut_slice()
                }
            };
            func.call_async(&mut instance.store, &values, returned).await?;
            Ok(Output::Typed(lift::core(returned)))
        }
        (Some(Plan::CoreCommand { export }), Arguments::Command(_)) => {
            let func = instance.core_function(export)?;
            progress.acquired = Instant::now();
            func.call_async(&mut instance.store, &[], &mut []).await?;
            Ok(Output::Raw(Vec::new()))
        }
        (Some(Plan::Component { export, result, .. }), Arguments::Component(values)) => {
            let func = instance.component_function(export)?;
            progress.acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            let expected = if result.is_some() { returned.as_mut_slice() } else { &mut [] };
            func.call_async(&mut instance.store, &values, expected).await?;
            let [returned] = returned;
            typed_output(lift::component(result.is_some().then_some(returned), result.as_ref()))
        }
        (Some(Plan::ComponentCommand { export }), Arguments::Command(_)) => {
            let func = instance.component_function(export)?;
            progress.acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            func.call_async(&mut instance.store, &[], &mut returned).await?;
            command_output(&returned)
        }
        (Some(Plan::Handler { export }), Arguments::Request(request)) => {
            let func = instance.component_function(export)?;
            progress.acquired = Instant::now();
            // A handler that fails may have lost its handles. The instance is kept only if
            // the handler's own call says so.
            let keep = std::mem::replace(&mut progress.keep, false);
            // Boxed, because calls of other functions do not need its state.
            let called = Box::pin(handler::call(&mut instance.store, func, *request, output, limits, keep));
            let (output, keep) = called.await?;
            progress.keep = keep;
            Ok(output)
        }
        _ => Err(CallError::own_mistake("the call does not fit the code that it was bound to")),
    }
}

fn typed_output(returned: Returned) -> Result<Output, CallError> {
    match returned {
        Returned::Value(value) => Ok(Output::Typed(value)),
        Returned::GuestError(value) => {
            let message = failure::cut(json::shown(value));
            Err(CallError::Failed(Failure::new(FailureCode::GuestError, message)))
        }
    }
}

fn command_output(returned: &[Val; 1]) -> Result<Output, CallError> {
    match returned {
        [Val::Result(Err(_))] => {
            let message = "the command ended with an error and no exit code";
            Err(CallError::Failed(Failure::new(FailureCode::GuestExit, message)))
        }
        _ => Ok(Output::Raw(Vec::new())),
    }
}
