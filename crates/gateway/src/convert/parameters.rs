//! The parameters and the environment of a call.

use super::bounds::{LABEL_MAX_BYTES, bounded, check_map_size};
use crate::error::ApiError;
use pilum_proto::spearlet::FunctionParameter;
use pilum_proto::value::value_from_any;
use pilum_types::Parameter;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// How many parameters a call may have: far more than a function of WIT can have.
const PARAMETERS_MAX: usize = 1_024;
/// Up to so many names are compared with one another, which is faster than a hash set;
/// more names go into a hash set.
const COMPARED_NAMES_MAX: usize = 16;
/// Longest type of a parameter as the caller writes it, in bytes: room for a large record.
const TYPE_MAX_BYTES: usize = 4 * 1024;
/// How many environment variables a call or a policy may have.
const ENVIRONMENT_MAX_ENTRIES: usize = 64;
/// How long the names and values of all environment variables may be together, in bytes.
const ENVIRONMENT_MAX_BYTES: usize = 32 * 1024;

/// Reads the parameters. Either each has a name that no other parameter has, or none
/// has a name.
pub(super) fn parameters(list: Vec<FunctionParameter>) -> Result<Vec<Parameter>, ApiError> {
    if list.len() > PARAMETERS_MAX {
        let reason = format!("has {} entries, at most {PARAMETERS_MAX} are allowed", list.len());
        return Err(ApiError::field("parameters", reason));
    }
    let named = list.first().is_some_and(|first| !first.name.is_empty());
    let mut names = HashSet::with_capacity(if list.len() > COMPARED_NAMES_MAX { list.len() } else { 0 });
    for (index, parameter) in list.iter().enumerate() {
        let field = || format!("parameters[{index}].name");
        if parameter.name.is_empty() == named {
            let reason = "either every parameter has a name (matched by name) or none has (by position)";
            return Err(ApiError::field(field(), reason));
        }
        if parameter.name.len() > LABEL_MAX_BYTES {
            let reason = format!("has {} bytes, at most {LABEL_MAX_BYTES} are allowed", parameter.name.len());
            return Err(ApiError::field(field(), reason));
        }
        let is_repeated = if list.len() > COMPARED_NAMES_MAX {
            !names.insert(parameter.name.as_str())
        } else {
            list.iter().take(index).any(|earlier| earlier.name == parameter.name)
        };
        if named && is_repeated {
            return Err(ApiError::field(field(), format!("{:?} is given twice", parameter.name)));
        }
    }
    let mut parameters = Vec::with_capacity(list.len());
    for (index, parameter) in list.into_iter().enumerate() {
        parameters.push(self::parameter(index, parameter)?);
    }
    Ok(parameters)
}

fn parameter(index: usize, parameter: FunctionParameter) -> Result<Parameter, ApiError> {
    let description = || {
        if parameter.name.is_empty() {
            format!("parameter {index}")
        } else {
            format!("parameter {:?}", parameter.name)
        }
    };
    let field = || format!("parameters[{index}].value");
    let Some(any) = &parameter.value else {
        return Err(ApiError::field(field(), format!("{} has no value", description())));
    };
    let value = value_from_any(any)
        .map_err(|error| ApiError::field(field(), format!("{} {error}", description())))?;
    let type_name = match parameter.r#type {
        empty if empty.is_empty() => empty,
        given => bounded(&format!("parameters[{index}].type"), given, TYPE_MAX_BYTES)?,
    };
    Ok(Parameter { name: parameter.name, type_name, value })
}

/// Reads the environment variables of a call, in ascending order of name.
pub(super) fn environment(map: BTreeMap<String, String>) -> Result<Arc<[(String, String)]>, ApiError> {
    variables("context.environment", map)
}

/// Reads the environment variables in `field`, in ascending order of name.
pub(super) fn variables(
    field: &str,
    map: BTreeMap<String, String>,
) -> Result<Arc<[(String, String)]>, ApiError> {
    check_map_size(field, &map, ENVIRONMENT_MAX_ENTRIES, ENVIRONMENT_MAX_BYTES)?;
    for (name, value) in &map {
        let mut bytes = name.bytes();
        let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !starts_well || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let reason = format!(
                "{name:?} is no name: a name has letters, digits and _, and does not begin with a digit"
            );
            return Err(ApiError::field(field, reason));
        }
        if value.contains('\0') {
            return Err(ApiError::field(field, format!("the value of {name} holds a NUL")));
        }
    }
    Ok(map.into_iter().collect())
}
