//! Runs one call: an instance, its world, the function, and everything it did
//! accounted for at its end.

use crate::bind::{Arguments, BoundCall};
use crate::code::Code;
use crate::exports::Plan;
use crate::failure;
use crate::guest::World;
use crate::handler;
use crate::house::House;
use crate::instance::{Instance, TYPED_HOSTCALL_MIN_BYTES, unfit};
use crate::json;
use crate::lift::{self, Returned};
use bytes::Bytes;
use pilum_call::{CallContext, OutputMode};
use pilum_types::{CallLimits, Failure, FailureCode, Outcome, Output, Usage, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wasmtime::Val as CoreVal;
use wasmtime::component::Val;

/// What the guest returned, or why it did not.
pub(crate) type Ended = Result<Output, CallError>;

pub(crate) enum CallError {
    Wasm(wasmtime::Error),
    Failed(Failure),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(error)
    }
}

pub(crate) async fn run(house: &Arc<House>, call: BoundCall, context: CallContext) -> Outcome {
    let arrived = Instant::now();
    let limits = context.limits;
    let deadline = arrived + limits.timeout;
    let BoundCall { code, function, arguments } = call;
    let in_use = house.enter(&context.revision, &code, &context.policy, || {
        (limits, World::ahead(&context.revision, &context.policy, &limits))
    });
    let reuse = context.policy.instances.reuse.is_some() && !context.force_new_instance;
    let unused = context.force_new_instance;
    let delivery = context.output.clone();
    let (world, arguments) = world(context, arguments);
    let command = world.stdout_is_result;
    // A command runs once from its start to its end.
    let keep = reuse && !command;
    let ready = in_use.as_ref().and_then(|in_use| in_use.shelf().take(&limits, &world, unused));
    // Whether how long it takes to be ready is how long its code takes.
    let mut is_measured = false;
    let mut instance = match ready {
        Some(ready) => ready,
        None => match house.slot(deadline).await {
            Some(slot) => {
                is_measured = !slot.waited;
                Instance::new(&house.engine, Arc::clone(&house.services), Some(slot.permit))
            }
            None => return refused(arrived, failure::deadline(&limits)),
        },
    };
    let _running = house.ticker.run();
    if let Err(error) = instance.begin(&limits, deadline, world) {
        return refused(arrived, host_failure(error));
    }
    let mut driven = Driven { acquired: arrived, keep };
    let drive = drive(&mut instance, &code, function, arguments, &delivery, &limits, &mut driven);
    let ended = timeout_at(deadline, drive).await;
    let ended_at = Instant::now();
    let fuel_consumed = limits.fuel.map(|fuel| fuel - instance.store.get_fuel().unwrap_or(0).min(fuel));
    let written = instance.store.data_mut().take_written();
    let guest = instance.store.data();
    // What trapped, ran out of time or broke a rule is dropped, never kept.
    let mut keep = driven.keep;
    let result = match ended {
        Err(_elapsed) => {
            keep = false;
            Err(failure::deadline(&limits))
        }
        Ok(Err(CallError::Failed(failure))) => {
            keep &= failure.code == FailureCode::GuestError;
            Err(failure)
        }
        Ok(Err(CallError::Wasm(error))) => {
            keep = false;
            match failure::read(&error, guest, &limits) {
                Some(failure) => Err(failure),
                None if command => Ok(Output::Raw(Vec::new())),
                None => Err(Failure::new(
                    FailureCode::GuestExit,
                    "the function ended with exit code 0 instead of returning a result",
                )),
            }
        }
        Ok(Ok(output)) => Ok(output),
    };
    let result = match result {
        Ok(Output::Raw(_)) if written.result_overflowed => Err(failure::result_too_large(&limits)),
        Ok(Output::Raw(_)) => Ok(Output::Raw(written.result)),
        Ok(Output::Typed(value)) if is_too_large(&value, &limits) => Err(failure::result_too_large(&limits)),
        other => other,
    };
    if is_measured && driven.acquired > arrived {
        code.was_instantiated(driven.acquired.saturating_duration_since(arrived));
    }
    let peak_memory_bytes = guest.limiter.memory_peak_bytes();
    let acquire = driven.acquired.saturating_duration_since(arrived);
    let outcome = Outcome {
        result,
        usage: Usage {
            queue_wait: Duration::ZERO,
            acquire,
            guest: ended_at.saturating_duration_since(driven.acquired),
            fuel_consumed,
            peak_memory_bytes,
            attempt: 1,
            instance_calls: instance.calls(),
        },
        log: written.log,
        instance: Some(instance.id()),
    };
    if let Some(in_use) = in_use {
        let shelf = Arc::clone(in_use.shelf());
        if keep && !instance.store.data().is_busy() {
            house.put_back(&shelf, instance);
        } else {
            drop(instance);
        }
        drop(in_use);
        house.fill(&shelf);
    }
    outcome
}

/// Runs a call with nothing around it but what wasmtime needs.
pub(crate) async fn run_bare(house: &House, call: BoundCall, context: CallContext) -> Result<(), Failure> {
    let limits = context.limits;
    let delivery = OutputMode::Collect;
    let BoundCall { code, function, arguments } = call;
    let (_world, arguments) = world(context, arguments);
    let mut instance = Instance::bare(&house.engine, limits.fuel).map_err(host_failure)?;
    let mut driven = Driven { acquired: Instant::now(), keep: false };
    match drive(&mut instance, &code, function, arguments, &delivery, &limits, &mut driven).await {
        Ok(_output) => Ok(()),
        Err(CallError::Failed(failure)) => Err(failure),
        Err(CallError::Wasm(error)) => match failure::read(&error, instance.store.data(), &limits) {
            Some(failure) => Err(failure),
            None => Ok(()),
        },
    }
}

fn host_failure(error: CallError) -> Failure {
    match error {
        CallError::Failed(failure) => failure,
        CallError::Wasm(error) => Failure::new(FailureCode::HostError, format!("{error:#}")),
    }
}

/// The outcome of a call that no instance could be made for.
fn refused(arrived: Instant, failure: Failure) -> Outcome {
    let usage = Usage { acquire: arrived.elapsed(), attempt: 1, ..Usage::default() };
    Outcome { result: Err(failure), usage, log: Vec::new(), instance: None }
}

fn world(context: CallContext, arguments: Arguments) -> (World, Arguments) {
    let CallContext {
        task_name: task,
        revision: owner,
        function,
        limits,
        environment,
        output: delivery,
        log_sink,
        policy,
        ..
    } = context;
    let mut world = World {
        arguments: Vec::new(),
        environment,
        policy: Some(policy),
        owner: Some(owner),
        stdin: Bytes::new(),
        stdout_is_result: false,
        pieces: None,
        result_max_bytes: limits.result_max_bytes,
        log_max_bytes: limits.log_max_bytes,
        log_sink,
    };
    match arguments {
        Arguments::Command(stdin) => {
            world.arguments = vec![task.as_str().to_owned(), function.as_str().to_owned()];
            world.stdin = Bytes::from(stdin);
            world.stdout_is_result = true;
            if let OutputMode::Stream(pieces) = delivery {
                world.pieces = Some(pieces);
            }
            (world, Arguments::Command(Vec::new()))
        }
        others @ (Arguments::Core(_) | Arguments::Component(_) | Arguments::Request(_)) => (world, others),
    }
}

/// Whether a typed result is over a bound that is too small for lifting to enforce.
fn is_too_large(value: &Value, limits: &CallLimits) -> bool {
    limits.result_max_bytes < TYPED_HOSTCALL_MIN_BYTES && lift::bytes_of(value) > limits.result_max_bytes
}

/// What is noted while a call is driven.
struct Driven {
    /// When its instance was ready.
    acquired: Instant,
    /// Whether the instance may serve another.
    keep: bool,
}

/// Makes the instance if need be, notes when it was ready, calls the function.
async fn drive(
    instance: &mut Instance,
    code: &Code,
    function: usize,
    arguments: Arguments,
    delivery: &OutputMode,
    limits: &CallLimits,
    driven: &mut Driven,
) -> Ended {
    let plan = code.exports().plan(function).map(|(plan, _)| plan);
    instance.instantiate(code).await?;
    match (plan, arguments) {
        (Some(Plan::Core { export, results, .. }), Arguments::Core(values)) => {
            let func = instance.core_function(export)?;
            driven.acquired = Instant::now();
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
            func.call_async(&mut instance.store, &values, returned).await?;
            Ok(Output::Typed(lift::core(returned)))
        }
        (Some(Plan::CoreCommand { export }), Arguments::Command(_)) => {
            let func = instance.core_function(export)?;
            driven.acquired = Instant::now();
            func.call_async(&mut instance.store, &[], &mut []).await?;
            Ok(Output::Raw(Vec::new()))
        }
        (Some(Plan::Component { export, result, .. }), Arguments::Component(values)) => {
            let func = instance.component_function(export)?;
            driven.acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            let expected = if result.is_some() { returned.as_mut_slice() } else { &mut [] };
            func.call_async(&mut instance.store, &values, expected).await?;
            let [returned] = returned;
            match lift::component(result.is_some().then_some(returned), result.as_ref()) {
                Returned::Value(value) => Ok(Output::Typed(value)),
                Returned::GuestError(value) => Err(CallError::Failed(Failure::new(
                    FailureCode::GuestError,
                    failure::cut(json::shown(value)),
                ))),
            }
        }
        (Some(Plan::ComponentCommand { export }), Arguments::Command(_)) => {
            let func = instance.component_function(export)?;
            driven.acquired = Instant::now();
            let mut returned = [Val::Bool(false)];
            func.call_async(&mut instance.store, &[], &mut returned).await?;
            match returned {
                [Val::Result(Err(_))] => Err(CallError::Failed(Failure::new(
                    FailureCode::GuestExit,
                    "the command ended with an error and no exit code",
                ))),
                _ => Ok(Output::Raw(Vec::new())),
            }
        }
        (Some(Plan::Handler { export }), Arguments::Request(request)) => {
            let func = instance.component_function(export)?;
            driven.acquired = Instant::now();
            // One that fails may have lost its handles: it is kept only if it says so.
            let keep = std::mem::replace(&mut driven.keep, false);
            // Boxed, since a call of anything else has no use for its state.
            let called = Box::pin(handler::call(&mut instance.store, func, *request, delivery, limits, keep));
            let (output, keep) = called.await?;
            driven.keep = keep;
            Ok(output)
        }
        _ => Err(unfit()),
    }
}
