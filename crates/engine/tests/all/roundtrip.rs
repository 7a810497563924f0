//! Typed calls under generated types and values: what is sent comes back, and the error
//! of a value that does not fit names its path.
//!
//! `types` makes types; `component` makes a real component that takes and returns lists
//! of a type; `values` makes values in every spelling that a caller may choose, together
//! with the one spelling of results; `spoil` makes values that do not fit.

mod component;
mod spoil;
mod types;
mod values;

use crate::rig::{LIMITS, Rig, parameter};
use component::{FUNCTION, PARAMETER};
use pilum_call::{BindError, CallContext};
use pilum_engine::Code;
use pilum_types::{
    Field, FunctionKind, FunctionName, FunctionSignature, Output, Parameter, TaskId, TaskName, Value,
    ValueType,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use spoil::Spoilt;
use std::sync::Arc;
use tokio::runtime::Runtime;
use values::Spelt;

/// Generated components, and calls of each: 10,000 calls in all. Compiling a component
/// takes a hundred times as long as calling it.
const COMPONENTS: u32 = 400;
const CALLS_PER_COMPONENT: usize = 25;
/// Values in the list that a call takes.
const VALUES_PER_CALL_MAX: usize = 3;
/// Numbers that decide where a value is spoilt: more than a value has levels.
const CHOICES: usize = 24;

/// One component, and the values that are sent to it.
#[derive(Debug, Clone)]
struct Plan {
    ty: ValueType,
    calls: Vec<Vec<Spelt>>,
    spoils: Vec<[u16; CHOICES]>,
}

fn plans() -> impl Strategy<Value = Plan> {
    types::any_type().prop_flat_map(|ty| {
        let call = vec(values::of(&ty), 0..=VALUES_PER_CALL_MAX);
        let calls = vec(call, CALLS_PER_COMPONENT);
        let spoils = vec(any::<[u16; CHOICES]>(), CALLS_PER_COMPONENT);
        (calls, spoils).prop_map(move |(calls, spoils)| Plan { ty: ty.clone(), calls, spoils })
    })
}

/// Runs `check` on generated components, all on one engine.
fn for_each_plan(check: &impl AsyncFn(&Rig, &Arc<Code>, &Plan) -> Result<(), TestCaseError>) {
    let rig = Rig::new();
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases: COMPONENTS, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&plans(), |plan| {
            runtime.block_on(async {
                let wat = component::of(&plan.ty);
                let code = rig.code(&wat).await.map_err(|error| failed(format!("{error}\n{wat}")))?;
                check(&rig, &code, &plan).await
            })
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn failed(reason: String) -> TestCaseError {
    TestCaseError::fail(reason)
}

/// The function's result for a list of `values`.
async fn echo(rig: &Rig, code: &Arc<Code>, name: &str, values: Value) -> Result<Value, String> {
    let function = FunctionName::parse(FUNCTION).unwrap();
    let call =
        rig.bind(code, &function, vec![parameter(name, values)]).map_err(|error| format!("{error:?}"))?;
    let task = TaskName::parse("a-task").unwrap();
    let context = CallContext::new(task, TaskId::parse("a-task").unwrap(), function, LIMITS);
    match rig.engine.run(call, context).await.result {
        Ok(Output::Typed(value)) => Ok(value),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn what_is_sent_comes_back() {
    for_each_plan(&async |rig, code, plan| {
        for (i, call) in plan.calls.iter().enumerate() {
            let list =
                |of: fn(&Spelt) -> &Value| Value::List(call.iter().map(|one| of(one).clone()).collect());
            let (given, back) = (list(|one| &one.given), values::list_back(&plan.ty, call));
            // Values are sent by name and by position, both as a caller in the same process
            // has them and as they are after they came over the wire.
            let name = if i % 2 == 0 { PARAMETER } else { "" };
            let sent = if i % 4 < 2 { given } else { values::as_from_the_wire(given) };
            let got = echo(rig, code, name, sent.clone()).await;
            let got = got.map_err(|error| failed(format!("{sent:?}: {error}")))?;
            prop_assert_eq!(values::with_one_nan(got), back, "{:?}", sent);
        }
        // A result can be sent again as it is.
        for call in plan.calls.iter().take(2) {
            let back = values::list_back(&plan.ty, call);
            let again = echo(rig, code, PARAMETER, back.clone()).await.map_err(failed)?;
            prop_assert_eq!(values::with_one_nan(again), back);
        }
        Ok(())
    });
}

#[test]
fn the_signature_is_the_type_that_was_written() {
    for_each_plan(&async |_, code, plan| {
        let list = ValueType::List(Box::new(plan.ty.clone()));
        let signature = FunctionSignature {
            name: FUNCTION.to_owned(),
            kind: FunctionKind::Component,
            parameters: vec![Field { name: PARAMETER.to_owned(), ty: list.clone() }],
            results: vec![list],
        };
        prop_assert_eq!(code.functions(), [signature]);
        Ok(())
    });
}

#[test]
fn the_error_of_a_misfit_names_its_path() {
    let function = FunctionName::parse(FUNCTION).unwrap();
    for_each_plan(&async |rig, code, plan| {
        let list = ValueType::List(Box::new(plan.ty.clone()));
        for (call, choices) in plan.calls.iter().zip(&plan.spoils) {
            let Spoilt { value, path, fault } =
                spoil::in_some_way(PARAMETER, &list, values::list_back(&plan.ty, call), choices);
            // Over the wire bytes become text, which may fit where bytes do not.
            let over_the_wire = (!values::has_bytes(&value)).then(|| values::as_from_the_wire(value.clone()));
            for value in [Some(value), over_the_wire].into_iter().flatten() {
                let shown = format!("{value:?}");
                let parameter = Parameter { name: PARAMETER.to_owned(), type_name: String::new(), value };
                match rig.bind(code, &function, vec![parameter]).map(|_| ()) {
                    Err(BindError::Parameter { path: found, reason }) => {
                        prop_assert_eq!(&found, &path, "{}: {}", shown, reason);
                        prop_assert!(fault.is_named_in(&reason), "{}: {}: {:?}", shown, reason, fault);
                    }
                    other => return Err(failed(format!("{shown}: {other:?}"))),
                }
            }
        }
        Ok(())
    });
}
