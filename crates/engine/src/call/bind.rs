//! Fits a call to a function: finds it, matches its parameters, converts them.

use crate::code::Code;
use crate::exports::{Lookup, Plan};
use crate::lower::Lowering;
use crate::{json, request, wit};
use pilum_call::{BindError, HTTP_HANDLER_FUNCTION, HttpRequest};
use pilum_types::{Field, FunctionName, FunctionSignature, Parameter, Value};
use serde_json::Map;
use std::sync::Arc;
use wasmtime::Val as CoreVal;
use wasmtime::component::Val;

/// A function of some code with arguments that fit it. Running it cannot fail
/// for the caller's fault any more.
pub struct BoundCall {
    pub(crate) code: Arc<Code>,
    pub(crate) function: usize,
    pub(crate) arguments: Arguments,
}

pub(crate) enum Arguments {
    Core(Vec<CoreVal>),
    Component(Vec<Val>),
    /// A command's standard input.
    Command(Vec<u8>),
    /// What an http handler is asked.
    Request(Box<HttpRequest>),
}

impl BoundCall {
    /// Finds `function` in `code` and fits `parameters` to it.
    pub(crate) fn new(
        code: Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<Self, BindError> {
        let (index, plan, signature) = match code.exports().look_up(function.as_str()) {
            Lookup::One(index, plan, signature) => (index, plan, signature),
            Lookup::Several(candidates) => {
                return Err(BindError::Ambiguous { name: function.as_str().to_owned(), candidates });
            }
            Lookup::Nothing(exported) => {
                return Err(BindError::FunctionNotFound { name: function.as_str().to_owned(), exported });
            }
        };
        let arguments = match plan {
            Plan::Core { parameters: types, .. } => {
                let mut lowering = Lowering::new();
                let values = matched(signature, parameters)?;
                let named = signature.parameters.iter().zip(types);
                values
                    .iter()
                    .zip(named)
                    .map(|(value, (field, ty))| lowering.core_parameter(&field.name, value, ty))
                    .collect::<Result<_, _>>()
                    .map(Arguments::Core)?
            }
            Plan::Component { parameters: types, .. } => {
                let mut lowering = Lowering::new();
                matched(signature, parameters)?
                    .into_iter()
                    .zip(types)
                    .map(|(value, (name, ty))| lowering.parameter(name, value, ty))
                    .collect::<Result<_, _>>()
                    .map(Arguments::Component)?
            }
            Plan::CoreCommand { .. } | Plan::ComponentCommand { .. } => {
                Arguments::Command(json_object(parameters)?)
            }
            Plan::Handler { .. } => Arguments::Request(Box::new(request::of(signature, parameters)?)),
        };
        Ok(Self { code, function: index, arguments })
    }
}

impl BoundCall {
    /// A request for the http handler in `code`.
    pub(crate) fn to_handler(code: Arc<Code>, request: HttpRequest) -> Result<Self, BindError> {
        let Some(function) = code.exports().handler() else {
            let exported = code.functions().iter().map(ToString::to_string).collect();
            return Err(BindError::FunctionNotFound { name: HTTP_HANDLER_FUNCTION.to_owned(), exported });
        };
        Ok(Self { code, function, arguments: Arguments::Request(Box::new(request)) })
    }
}

/// The values in the order of the function's own parameters: by name when every
/// one has a name, else by position.
pub(crate) fn matched(signature: &FunctionSignature, given: Vec<Parameter>) -> Result<Vec<Value>, BindError> {
    let fields = &signature.parameters;
    if let Some((field, what)) = fields.iter().find_map(|f| wit::unsupported(&f.ty).map(|what| (f, what))) {
        let reason = format!("a {what} cannot be passed from outside");
        return Err(parameter_error(&field.name, reason));
    }
    if let Some(what) = signature.results.iter().find_map(wit::unsupported) {
        return Err(parameter_error("result", format!("a {what} cannot be passed to the outside")));
    }
    // Without any, those that may be left out are.
    let named = given.iter().all(|parameter| !parameter.name.is_empty());
    // A core module's parameters have no names: whatever the caller calls them,
    // they are taken in order, unless they are called p0, p1, ….
    let by_name =
        named && (signature.kind != pilum_types::FunctionKind::Core || uses_core_names(fields, &given));
    if by_name { matched_by_name(signature, given) } else { matched_by_position(signature, given) }
}

fn uses_core_names(fields: &[Field], given: &[Parameter]) -> bool {
    given.iter().all(|parameter| fields.iter().any(|field| field.name == parameter.name))
}

fn matched_by_name(
    signature: &FunctionSignature,
    mut given: Vec<Parameter>,
) -> Result<Vec<Value>, BindError> {
    let mut values = Vec::with_capacity(signature.parameters.len());
    for field in &signature.parameters {
        match given.iter().position(|parameter| parameter.name == field.name) {
            Some(i) => values.push(checked(given.swap_remove(i), field)?),
            None if matches!(field.ty, pilum_types::ValueType::Option(_)) => values.push(Value::Null),
            None => {
                return Err(parameter_error(&field.name, format!("is missing; {signature}")));
            }
        }
    }
    match given.first() {
        None => Ok(values),
        Some(Parameter { name, .. }) if signature.parameters.iter().any(|field| field.name == *name) => {
            Err(parameter_error(name, "is given twice".to_owned()))
        }
        Some(unknown) => {
            Err(parameter_error(&unknown.name, format!("is not a parameter of the function; {signature}")))
        }
    }
}

fn matched_by_position(
    signature: &FunctionSignature,
    given: Vec<Parameter>,
) -> Result<Vec<Value>, BindError> {
    let fields = &signature.parameters;
    if let Some(field) = fields.get(given.len()) {
        return Err(parameter_error(&field.name, format!("is missing; {signature}")));
    }
    if given.len() > fields.len() {
        let reason = format!("{} were given, {} are taken; {signature}", given.len(), fields.len());
        return Err(parameter_error("parameters", reason));
    }
    given.into_iter().zip(fields).map(|(parameter, field)| checked(parameter, field)).collect()
}

/// The value, once the type the caller gave it is found to be the field's.
fn checked(parameter: Parameter, field: &Field) -> Result<Value, BindError> {
    if wit::agrees(&parameter.type_name, &field.ty) {
        return Ok(parameter.value);
    }
    Err(parameter_error(
        &field.name,
        format!("expected {}, got the type {:?}", field.ty, parameter.type_name),
    ))
}

pub(crate) fn parameter_error(path: &str, reason: String) -> BindError {
    BindError::Parameter { path: path.to_owned(), reason }
}

/// A command's parameters as one JSON object; an empty one for none.
fn json_object(parameters: Vec<Parameter>) -> Result<Vec<u8>, BindError> {
    let mut object = Map::with_capacity(parameters.len());
    for (i, parameter) in parameters.into_iter().enumerate() {
        let name = parameter.name;
        if name.is_empty() {
            let reason = "a command's parameters need names, they become a JSON object".to_owned();
            return Err(parameter_error(&format!("parameters[{i}]"), reason));
        }
        let value = json::of(parameter.value).map_err(|reason| parameter_error(&name, reason))?;
        if object.contains_key(&name) {
            return Err(parameter_error(&name, "is given twice".to_owned()));
        }
        object.insert(name, value);
    }
    serde_json::to_vec(&object).map_err(|error| parameter_error("parameters", error.to_string()))
}
