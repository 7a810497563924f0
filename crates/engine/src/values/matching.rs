//! Puts the parameters of a call in the order of the function's own parameters.

use crate::values::input::{Given, Input as _};
use crate::values::wit;
use pilum_call::BindError;
use pilum_types::{Field, FunctionKind, FunctionSignature, Parameter, ValueType};

/// What is done with the types that a caller names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeNames {
    /// They must agree with the types of the function.
    Checked,
    /// They are ignored.
    Ignored,
}

/// The values in the order of the function's own parameters. They are matched by name
/// if every one has a name, and by position otherwise.
pub(crate) fn matched<P: Given>(
    signature: &FunctionSignature,
    given: Vec<P>,
    type_names: TypeNames,
) -> Result<Vec<P::Value>, BindError> {
    let fields = &signature.parameters;
    if let Some((field, what)) = fields.iter().find_map(|f| wit::unsupported(&f.ty).map(|what| (f, what))) {
        let reason = format!("a {what} cannot be passed from outside");
        return Err(parameter_error(&field.name, reason));
    }
    if let Some(what) = signature.results.iter().find_map(wit::unsupported) {
        return Err(parameter_error("result", format!("a {what} cannot be passed to the outside")));
    }
    // Without any parameter this holds too, and every option is absent.
    let all_named = given.iter().all(|parameter| !parameter.borrow().name.is_empty());
    // The parameters of a core module have no names. The caller's are matched by
    // position, unless the caller uses the names that descriptions give them: p0, p1, ….
    let by_name = all_named && (signature.kind != FunctionKind::Core || uses_own_names(fields, &given));
    if by_name {
        matched_by_name(signature, given, type_names)
    } else {
        matched_by_position(signature, given, type_names)
    }
}

/// The error of one parameter, or of a place inside it.
pub(crate) fn parameter_error(path: &str, reason: String) -> BindError {
    BindError::Parameter { path: path.to_owned(), reason }
}

fn uses_own_names<P: Given>(fields: &[Field], given: &[P]) -> bool {
    given.iter().all(|parameter| fields.iter().any(|field| field.name == parameter.borrow().name))
}

fn matched_by_name<P: Given>(
    signature: &FunctionSignature,
    mut given: Vec<P>,
    type_names: TypeNames,
) -> Result<Vec<P::Value>, BindError> {
    let mut values = Vec::with_capacity(signature.parameters.len());
    for field in &signature.parameters {
        match given.iter().position(|parameter| parameter.borrow().name == field.name) {
            Some(i) => values.push(value_of(given.swap_remove(i), field, type_names)?),
            None if matches!(field.ty, ValueType::Option(_)) => values.push(P::Value::null()),
            None => {
                return Err(parameter_error(&field.name, format!("is missing; {signature}")));
            }
        }
    }
    match given.first().map(P::borrow) {
        None => Ok(values),
        Some(Parameter { name, .. }) if signature.parameters.iter().any(|field| field.name == *name) => {
            Err(parameter_error(name, "is given twice".to_owned()))
        }
        Some(unknown) => {
            Err(parameter_error(&unknown.name, format!("is not a parameter of the function; {signature}")))
        }
    }
}

fn matched_by_position<P: Given>(
    signature: &FunctionSignature,
    given: Vec<P>,
    type_names: TypeNames,
) -> Result<Vec<P::Value>, BindError> {
    let fields = &signature.parameters;
    if let Some(field) = fields.get(given.len()) {
        return Err(parameter_error(&field.name, format!("is missing; {signature}")));
    }
    if given.len() > fields.len() {
        let reason = format!("{} were given, {} are taken; {signature}", given.len(), fields.len());
        return Err(parameter_error("parameters", reason));
    }
    given.into_iter().zip(fields).map(|(parameter, field)| value_of(parameter, field, type_names)).collect()
}

/// The parameter's value, if the type that the caller names is the field's.
fn value_of<P: Given>(parameter: P, field: &Field, type_names: TypeNames) -> Result<P::Value, BindError> {
    let type_name = &parameter.borrow().type_name;
    if type_names == TypeNames::Ignored || wit::agrees(type_name, &field.ty) {
        return Ok(parameter.into_value());
    }
    Err(parameter_error(&field.name, format!("expected {}, got the type {type_name:?}", field.ty)))
}
