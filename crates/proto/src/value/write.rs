//! From a value to `google.protobuf.Any`.

use super::messages::{DEPTH_MAX, TYPE_URL_PREFIX};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::{Output, Value};
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct};

/// The value nests more lists and objects than [`DEPTH_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nests more than {DEPTH_MAX} lists and objects and cannot be sent")]
pub struct TooDeep;

/// The largest whole number up to which a double holds every whole number.
const EXACT_MAX: u64 = 1 << 53;

/// A parameter of a call. Integers and bytes have messages of their own. Inside lists and
/// objects, bytes are base64 text and large integers are decimal text.
///
/// # Errors
/// When the value nests too deep.
pub fn parameter_to_any(value: &Value) -> Result<Any, TooDeep> {
    Ok(match value {
        Value::Signed(number) => any("Int64Value", number),
        Value::Unsigned(number) => any("UInt64Value", number),
        Value::Bytes(bytes) => any("BytesValue", bytes),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Object(_) => any("Value", &to_value(value, 0)?),
    })
}

/// What a function returned: a typed result as a `google.protobuf.Value`, raw
/// bytes as a `BytesValue`.
///
/// # Errors
/// When the result nests too deep.
pub fn output_to_any(output: &Output) -> Result<Any, TooDeep> {
    Ok(match output {
        Output::Typed(value) => any("Value", &to_value(value, 0)?),
        Output::Raw(bytes) | Output::Response { body: bytes, .. } => raw_to_any(bytes),
    })
}

/// A chunk of raw output: a `BytesValue`, written with one copy of the bytes.
pub fn raw_to_any(bytes: &[u8]) -> Any {
    // Field 1, length-delimited. A message without bytes is empty.
    const KEY: u8 = 0x0a;
    // The key has 1 byte, the length at most 10.
    const HEAD_MAX_BYTES: usize = 11;
    let mut value = Vec::with_capacity(if bytes.is_empty() { 0 } else { HEAD_MAX_BYTES + bytes.len() });
    if !bytes.is_empty() {
        value.push(KEY);
        prost::encoding::encode_varint(bytes.len() as u64, &mut value);
        value.extend_from_slice(bytes);
    }
    Any { type_url: [TYPE_URL_PREFIX, "BytesValue"].concat(), value }
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: [TYPE_URL_PREFIX, name].concat(), value: message.encode_to_vec() }
}

fn to_value(value: &Value, depth: usize) -> Result<prost_types::Value, TooDeep> {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Signed(number) if number.unsigned_abs() <= EXACT_MAX => Kind::NumberValue(*number as f64),
        Value::Signed(number) => Kind::StringValue(number.to_string()),
        Value::Unsigned(number) if *number <= EXACT_MAX => Kind::NumberValue(*number as f64),
        Value::Unsigned(number) => Kind::StringValue(number.to_string()),
        Value::Number(number) => from_float(*number),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Bytes(bytes) => Kind::StringValue(STANDARD.encode(bytes)),
        Value::List(items) => {
            let depth = deeper(depth)?;
            let values = items.iter().map(|item| to_value(item, depth)).collect::<Result<_, _>>()?;
            Kind::ListValue(ListValue { values })
        }
        Value::Object(fields) => {
            let depth = deeper(depth)?;
            let field = |(name, value): &(String, Value)| Ok((name.clone(), to_value(value, depth)?));
            Kind::StructValue(Struct { fields: fields.iter().map(field).collect::<Result<_, _>>()? })
        }
    };
    Ok(prost_types::Value { kind: Some(kind) })
}

fn from_float(number: f64) -> Kind {
    if number.is_finite() {
        return Kind::NumberValue(number);
    }
    let text = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Kind::StringValue(text.to_owned())
}

fn deeper(depth: usize) -> Result<usize, TooDeep> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(TooDeep) }
}
