//! The standard input of a command: its parameters as one JSON object.

use crate::values::input::Given;
use crate::values::json;
use crate::values::matching::parameter_error;
use pilum_call::BindError;
use pilum_types::Parameter;
use serde_json::{Map, Value as Json};

/// The parameters as one JSON object, which is empty if there are none.
///
/// # Errors
/// When a parameter has no name or the name of another one, or when its value cannot
/// be written as JSON.
pub(crate) fn stdin(parameters: Vec<Parameter>) -> Result<Vec<u8>, BindError> {
    Ok(Json::Object(object(parameters, json::of)?).to_string().into_bytes())
}

/// Checks that [`stdin`] would succeed.
pub(crate) fn check(parameters: &[Parameter]) -> Result<(), BindError> {
    let to_nothing = |value| json::check(value).map(|()| Json::Null);
    object(parameters.iter().collect(), to_nothing).map(drop)
}

fn object<P: Given>(
    parameters: Vec<P>,
    to_json: impl Fn(P::Value) -> Result<Json, String>,
) -> Result<Map<String, Json>, BindError> {
    let mut object = Map::with_capacity(parameters.len());
    for (i, parameter) in parameters.into_iter().enumerate() {
        let (name, value) = parameter.into_named_value();
        if name.is_empty() {
            let reason = "a command's parameters need names, they become a JSON object".to_owned();
            return Err(parameter_error(&format!("parameters[{i}]"), reason));
        }
        let value = to_json(value).map_err(|reason| parameter_error(&name, reason))?;
        if object.contains_key(&name) {
            return Err(parameter_error(&name, "is given twice".to_owned()));
        }
        object.insert(name, value);
    }
    Ok(object)
}
