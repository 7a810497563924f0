//! Plain values as JSON: the input of commands, and errors that guests return.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::Value;
use serde_json::{Number, Value as Json};

/// How many lists and objects may be inside each other: some more than a caller can
/// send, and fewer than parsers of JSON usually accept.
const DEPTH_MAX: usize = 100;
/// Whole numbers up to 2^53 are exact in a float.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// `value` as JSON.
///
/// # Errors
/// JSON has no NaN and no infinities, and parsers refuse what nests too deep.
pub(crate) fn of(value: Value) -> Result<Json, String> {
    at_depth(value, 0)
}

/// Checks that [`of`] would succeed.
pub(crate) fn check(value: &Value) -> Result<(), String> {
    check_at_depth(value, 0)
}

/// `value` as text for a message: a string as it is, any other value as JSON.
pub(crate) fn shown(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => of(other).map_or_else(|error| error, |json| json.to_string()),
    }
}

fn at_depth(value: Value, depth: usize) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Signed(n) => Json::Number(n.into()),
        Value::Unsigned(n) => Json::Number(n.into()),
        Value::Number(n) => Json::Number(number(n)?),
        Value::String(text) => Json::String(text),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::List(items) => {
            let depth = deeper(depth)?;
            Json::Array(items.into_iter().map(|item| at_depth(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let depth = deeper(depth)?;
            let field = |(name, field)| at_depth(field, depth).map(|field| (name, field));
            Json::Object(fields.into_iter().map(field).collect::<Result<_, _>>()?)
        }
    })
}

fn check_at_depth(value: &Value, depth: usize) -> Result<(), String> {
    match value {
        Value::Null
        | Value::Bool(_)
        | Value::Signed(_)
        | Value::Unsigned(_)
        | Value::String(_)
        | Value::Bytes(_) => Ok(()),
        Value::Number(n) => number(*n).map(drop),
        Value::List(items) => {
            let depth = deeper(depth)?;
            items.iter().try_for_each(|item| check_at_depth(item, depth))
        }
        Value::Object(fields) => {
            let depth = deeper(depth)?;
            fields.iter().try_for_each(|(_, field)| check_at_depth(field, depth))
        }
    }
}

/// Whole numbers arrive as floats inside a `google.protobuf.Value`. A command that
/// parses integers should see an integer.
fn number(n: f64) -> Result<Number, String> {
    #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, so exact")]
    if n.fract() == 0.0 && n.abs() <= EXACT_INTEGER_MAX {
        return Ok((n as i64).into());
    }
    Number::from_f64(n).ok_or_else(|| format!("JSON has no number {n}; send a string"))
}

/// The depth inside one more list or object.
fn deeper(depth: usize) -> Result<usize, String> {
    if depth < DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Err(format!("nests more than {DEPTH_MAX} lists and objects"))
    }
}
