//! From `google.protobuf.Any` to a value.

use super::messages::{ACCEPTED, DEPTH_MAX};
use pilum_types::{Output, Value};
use prost::{DecodeError, Message};
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct};

/// Why an `Any` cannot be read as a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It holds a message of another type.
    #[error("holds {found:?}, accepted are google.protobuf's {}", ACCEPTED.join(", "))]
    Type {
        /// The name in its type URL, cut to a bounded length.
        found: String,
    },
    /// Its bytes are not the message that its type URL names.
    #[error("holds bytes that are no google.protobuf.{name}, or that nest too deep")]
    Malformed {
        /// The message it claims to hold.
        name: &'static str,
    },
    /// A `google.protobuf.Value` has no kind set. Null has a kind of its own.
    #[error("holds a google.protobuf.Value without a kind; set null_value for null")]
    NoKind,
    /// More lists and objects are nested than [`DEPTH_MAX`].
    #[error("nests more than {DEPTH_MAX} lists and objects")]
    TooDeep,
}

/// How much of an unknown type URL an error shows, in characters.
const SHOWN_MAX_CHARS: usize = 80;

/// The value in `any`. The part of the type URL before its last `/` does not matter.
///
/// # Errors
/// When `any` holds no message of [`ACCEPTED`], is malformed or nests too deep.
pub fn value_from_any(any: &Any) -> Result<Value, ReadError> {
    let full = any.type_url.rsplit('/').next().unwrap_or_default();
    let Some(name) = full
        .strip_prefix("google.protobuf.")
        .and_then(|short| ACCEPTED.into_iter().find(|accepted| *accepted == short))
    else {
        return Err(ReadError::Type { found: full.chars().take(SHOWN_MAX_CHARS).collect() });
    };
    let malformed = |_: DecodeError| ReadError::Malformed { name };
    let bytes = any.value.as_slice();
    Ok(match name {
        "Value" => from_value(prost_types::Value::decode(bytes).map_err(malformed)?, 0)?,
        "Struct" => from_struct(Struct::decode(bytes).map_err(malformed)?, 0)?,
        "ListValue" => from_list(ListValue::decode(bytes).map_err(malformed)?, 0)?,
        "StringValue" => Value::String(String::decode(bytes).map_err(malformed)?),
        "BytesValue" => Value::Bytes(Vec::<u8>::decode(bytes).map_err(malformed)?),
        "BoolValue" => Value::Bool(bool::decode(bytes).map_err(malformed)?),
        "Int32Value" => Value::Signed(i32::decode(bytes).map_err(malformed)?.into()),
        "Int64Value" => Value::Signed(i64::decode(bytes).map_err(malformed)?),
        "UInt32Value" => Value::Unsigned(u32::decode(bytes).map_err(malformed)?.into()),
        "UInt64Value" => Value::Unsigned(u64::decode(bytes).map_err(malformed)?),
        "FloatValue" => Value::Number(f32::decode(bytes).map_err(malformed)?.into()),
        "DoubleValue" => Value::Number(f64::decode(bytes).map_err(malformed)?),
        other => return Err(ReadError::Type { found: other.to_owned() }),
    })
}

/// A result as [`super::output_to_any`] made it: bytes are a raw result, any other value
/// is a typed result.
///
/// # Errors
/// As [`value_from_any`].
pub fn output_from_any(any: &Any) -> Result<Output, ReadError> {
    Ok(match value_from_any(any)? {
        Value::Bytes(bytes) => Output::Raw(bytes),
        typed => Output::Typed(typed),
    })
}

fn from_value(value: prost_types::Value, depth: usize) -> Result<Value, ReadError> {
    match value.kind.ok_or(ReadError::NoKind)? {
        Kind::NullValue(_) => Ok(Value::Null),
        Kind::NumberValue(number) => Ok(Value::Number(number)),
        Kind::StringValue(text) => Ok(Value::String(text)),
        Kind::BoolValue(truth) => Ok(Value::Bool(truth)),
        Kind::StructValue(fields) => from_struct(fields, depth),
        Kind::ListValue(items) => from_list(items, depth),
    }
}

fn from_struct(fields: Struct, depth: usize) -> Result<Value, ReadError> {
    let depth = deeper(depth)?;
    let field = |(name, value)| Ok((name, from_value(value, depth)?));
    fields.fields.into_iter().map(field).collect::<Result<_, _>>().map(Value::Object)
}

fn from_list(items: ListValue, depth: usize) -> Result<Value, ReadError> {
    let depth = deeper(depth)?;
    items.values.into_iter().map(|item| from_value(item, depth)).collect::<Result<_, _>>().map(Value::List)
}

fn deeper(depth: usize) -> Result<usize, ReadError> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(ReadError::TooDeep) }
}
