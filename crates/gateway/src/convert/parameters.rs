//! The parameters and the environment of a call.

use super::{LABEL_MAX_BYTES, bounded, sized};
use crate::error::Rejection;
use pilum_proto::spearlet::FunctionParameter;
use pilum_proto::value::value_from_any;
use pilum_types::Parameter;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Parameters of a call: far more than a function of WIT can have.
const PARAMETERS_MAX: usize = 1_024;
/// As few names are compared with one another; more are hashed.
const COMPARED_MAX: usize = 16;
/// Longest type a caller may state, in bytes: a large record written out.
const TYPE_MAX_BYTES: usize = 4 * 1024;
/// Environment variables of a call, and their names and values together in bytes.
const ENVIRONMENT_MAX_ENTRIES: usize = 64;
/// See [`ENVIRONMENT_MAX_ENTRIES`].
const ENVIRONMENT_MAX_BYTES: usize = 32 * 1024;

/// Reads the parameters: every one with a name that no other has, or none.
pub(super) fn parameters(list: Vec<FunctionParameter>) -> Result<Vec<Parameter>, Rejection> {
    if list.len() > PARAMETERS_MAX {
        let reason = format!("has {} entries, at most {PARAMETERS_MAX} are allowed", list.len());
        return Err(Rejection::field("parameters", reason));
    }
    let named = list.first().is_some_and(|first| !first.name.is_empty());
    let mut names = HashSet::with_capacity(if list.len() > COMPARED_MAX { list.len() } else { 0 });
    for (index, parameter) in list.iter().enumerate() {
        let field = || format!("parameters[{index}].name");
        if parameter.name.is_empty() == named {
            let reason = "either every parameter has a name (matched by name) or none has (by position)";
            return Err(Rejection::field(field(), reason));
        }
        if parameter.name.len() > LABEL_MAX_BYTES {
            let reason = format!("has {} bytes, at most {LABEL_MAX_BYTES} are allowed", parameter.name.len());
            return Err(Rejection::field(field(), reason));
        }
        let known = if list.len() > COMPARED_MAX {
            !names.insert(parameter.name.as_str())
        } else {
            list.iter().take(index).any(|earlier| earlier.name == parameter.name)
        };
        if named && known {
            return Err(Rejection::field(field(), format!("{:?} is given twice", parameter.name)));
        }
    }
    let mut parameters = Vec::with_capacity(list.len());
    for (index, parameter) in list.into_iter().enumerate() {
        parameters.push(one(index, parameter)?);
    }
    Ok(parameters)
}

fn one(index: usize, parameter: FunctionParameter) -> Result<Parameter, Rejection> {
    let called = || {
        if parameter.name.is_empty() {
            format!("parameter {index}")
        } else {
            format!("parameter {:?}", parameter.name)
        }
    };
    let field = || format!("parameters[{index}].value");
    let Some(any) = &parameter.value else {
        return Err(Rejection::field(field(), format!("{} has no value", called())));
    };
    let value =
        value_from_any(any).map_err(|error| Rejection::field(field(), format!("{} {error}", called())))?;
    let type_name = match parameter.r#type {
        none if none.is_empty() => none,
        given => bounded(&format!("parameters[{index}].type"), given, TYPE_MAX_BYTES)?,
    };
    Ok(Parameter { name: parameter.name, type_name, value })
}

/// Reads environment variables, in order of name.
pub(super) fn environment(map: BTreeMap<String, String>) -> Result<Arc<[(String, String)]>, Rejection> {
    variables("context.environment", map)
}

/// Reads environment variables from a field, in order of name.
pub(super) fn variables(
    field: &str,
    map: BTreeMap<String, String>,
) -> Result<Arc<[(String, String)]>, Rejection> {
    sized(field, &map, ENVIRONMENT_MAX_ENTRIES, ENVIRONMENT_MAX_BYTES)?;
    for (name, value) in &map {
        let mut bytes = name.bytes();
        let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !begins || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let reason = format!("{name:?} is no name: letters, digits and _, not beginning with a digit");
            return Err(Rejection::field(field, reason));
        }
        if value.contains('\0') {
            return Err(Rejection::field(field, format!("the value of {name} holds a NUL")));
        }
    }
    Ok(map.into_iter().collect())
}
