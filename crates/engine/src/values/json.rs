//! Plain values as JSON: what commands read, and how a structured error is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::Value;
use serde_json::Number;

/// How many lists and objects may stand inside each other: some more than a
/// caller can send, and fewer than readers of JSON commonly take.
const DEPTH_MAX: usize = 100;

/// `value` as JSON.
///
/// # Errors
/// JSON has no NaN and no infinities, and what nests too deep is not read.
pub(crate) fn of(value: Value) -> Result<serde_json::Value, String> {
    at_depth(value, 0)
}

fn at_depth(value: Value, depth: usize) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    let deeper = || match depth < DEPTH_MAX {
        true => Ok(depth + 1),
        false => Err(format!("nests more than {DEPTH_MAX} lists and objects")),
    };
    #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, so exact")]
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Signed(n) => Json::Number(n.into()),
        Value::Unsigned(n) => Json::Number(n.into()),
        // Whole numbers come as floats in `google.protobuf.Value`; a command
        // that parses integers should see one.
        Value::Number(n) if n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0 => {
            Json::Number((n as i64).into())
        }
        Value::Number(n) => match Number::from_f64(n) {
            Some(number) => Json::Number(number),
            None => return Err(format!("JSON has no number {n}; send a string")),
        },
        Value::String(text) => Json::String(text),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::List(items) => {
            let depth = deeper()?;
            Json::Array(items.into_iter().map(|item| at_depth(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let depth = deeper()?;
            let field = |(name, field)| at_depth(field, depth).map(|field| (name, field));
            Json::Object(fields.into_iter().map(field).collect::<Result<_, _>>()?)
        }
    })
}

/// `value` as text for a message: a string as it is, anything else as JSON.
pub(crate) fn shown(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => of(other).map_or_else(|error| error, |json| json.to_string()),
    }
}
