//! Fits a call to a function: finds the function, and converts the parameters or checks
//! them.

use crate::code::exports::{Lookup, Plan};
use crate::code::prepared::Code;
use crate::values::input::{Given, Input};
use crate::values::lower::Lowering;
use crate::values::matching::{TypeNames, matched};
use crate::values::{command, request};
use pilum_call::{BindError, HTTP_HANDLER_FUNCTION, HttpRequest};
use pilum_types::{FunctionName, FunctionSignature, Parameter};
use std::borrow::Borrow;
use std::sync::Arc;
use wasmtime::component::{Type, Val};
use wasmtime::{Val as CoreVal, ValType};

/// A function with arguments that fit it. Whatever goes wrong when it runs is not the
/// fault of the parameters.
pub struct BoundCall {
    pub(crate) code: Arc<Code>,
    /// The index of the function's plan in the code's exports.
    pub(crate) function: usize,
    pub(crate) arguments: Arguments,
}

/// The arguments of a call, in the form that the function's plan needs.
pub(crate) enum Arguments {
    Core(Vec<CoreVal>),
    Component(Vec<Val>),
    /// A command's standard input.
    Command(Vec<u8>),
    /// The request to an http handler.
    Request(Box<HttpRequest>),
}

impl BoundCall {
    /// Finds `function` in `code` and converts `parameters` to its types.
    pub(crate) fn new(
        code: Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<Self, BindError> {
        let (index, plan, signature) = found(&code, function)?;
        let arguments = match plan {
            Plan::Core { parameters: types, .. } => {
                Arguments::Core(core_arguments(signature, types, parameters)?)
            }
            Plan::Component { parameters: types, .. } => {
                Arguments::Component(component_arguments(signature, types, parameters)?)
            }
            Plan::CoreCommand { .. } | Plan::ComponentCommand { .. } => {
                Arguments::Command(command::stdin(parameters)?)
            }
            Plan::Handler { .. } => Arguments::Request(Box::new(request::of(signature, parameters)?)),
        };
        Ok(Self { code, function: index, arguments })
    }

    /// A call of the http handler in `code`.
    pub(crate) fn to_handler(code: Arc<Code>, request: HttpRequest) -> Result<Self, BindError> {
        let Some(function) = code.exports().handler() else {
            let (name, exported) = (HTTP_HANDLER_FUNCTION.to_owned(), code.exports().shown());
            return Err(BindError::FunctionNotFound { name, exported });
        };
        Ok(Self { code, function, arguments: Arguments::Request(Box::new(request)) })
    }
}

/// Checks that [`BoundCall::new`] would succeed, by the same rules. Copies no parameter
/// and makes no argument.
pub(crate) fn check(code: &Code, function: &FunctionName, parameters: &[Parameter]) -> Result<(), BindError> {
    let (_, plan, signature) = found(code, function)?;
    match plan {
        Plan::Core { parameters: types, .. } => {
            core_arguments(signature, types, parameters.iter().collect()).map(drop)
        }
        Plan::Component { parameters: types, .. } => {
            component_arguments(signature, types, parameters.iter().collect()).map(drop)
        }
        Plan::CoreCommand { .. } | Plan::ComponentCommand { .. } => command::check(parameters),
        Plan::Handler { .. } => request::check(signature, parameters),
    }
}

fn found<'a>(
    code: &'a Code,
    function: &FunctionName,
) -> Result<(usize, &'a Plan, &'a FunctionSignature), BindError> {
    let name = || function.as_str().to_owned();
    match code.exports().find(function.as_str()) {
        Lookup::One(index, plan, signature) => Ok((index, plan, signature)),
        Lookup::Several(candidates) => Err(BindError::Ambiguous { name: name(), candidates }),
        Lookup::Nothing(exported) => Err(BindError::FunctionNotFound { name: name(), exported }),
    }
}

fn core_arguments<P: Given>(
    signature: &FunctionSignature,
    types: &[ValType],
    parameters: Vec<P>,
) -> Result<Vec<CoreVal>, BindError> {
    let mut lowering = Lowering::new();
    let values = matched(signature, parameters, TypeNames::Checked)?;
    values
        .iter()
        .zip(signature.parameters.iter().zip(types))
        .map(|(value, (field, ty))| lowering.core_parameter(&field.name, value.borrow(), ty))
        .collect()
}

fn component_arguments<P: Given>(
    signature: &FunctionSignature,
    types: &[(String, Type)],
    parameters: Vec<P>,
) -> Result<Vec<<P::Value as Input>::Lowered>, BindError> {
    let mut lowering = Lowering::new();
    matched(signature, parameters, TypeNames::Checked)?
        .into_iter()
        .zip(types)
        .map(|(value, (name, ty))| lowering.parameter(name, value, ty))
        .collect()
}
