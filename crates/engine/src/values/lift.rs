//! Reads what a function returned as plain values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::Value;
use wasmtime::Val as CoreVal;
use wasmtime::component::types::Field;
use wasmtime::component::{Type, Val};

/// Why a value of another type is a mistake of this crate.
const UNSUPPORTED: &str = "a function with this type was bound";

/// The result of a typed function, as its caller sees it.
pub(crate) enum Returned {
    /// The value, or the ok arm of a result.
    Value(Value),
    /// The err arm of a result.
    GuestError(Value),
}

/// Bytes of host memory that a value takes, with all that is inside it.
pub(crate) fn bytes_of(value: &Value) -> u64 {
    let inside: u64 = match value {
        Value::Null | Value::Bool(_) | Value::Signed(_) | Value::Unsigned(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::List(items) => items.iter().map(bytes_of).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| size_of::<String>() as u64 + name.len() as u64 + bytes_of(field))
            .sum(),
    };
    size_of::<Value>() as u64 + inside
}

/// The results of a core function: null if there is none, a list if there are several.
pub(crate) fn core(results: &[CoreVal]) -> Value {
    match results {
        [] => Value::Null,
        [one] => core_value(one),
        many => Value::List(many.iter().map(core_value).collect()),
    }
}

fn core_value(value: &CoreVal) -> Value {
    match value {
        CoreVal::I32(integer) => Value::Signed(i64::from(*integer)),
        CoreVal::I64(integer) => Value::Signed(*integer),
        CoreVal::F32(bits) => Value::Number(f64::from(f32::from_bits(*bits))),
        CoreVal::F64(bits) => Value::Number(f64::from_bits(*bits)),
        CoreVal::V128(_)
        | CoreVal::FuncRef(_)
        | CoreVal::ExternRef(_)
        | CoreVal::AnyRef(_)
        | CoreVal::ExnRef(_)
        | CoreVal::ContRef(_) => unreachable!("{UNSUPPORTED}"),
    }
}

/// The result of a component's function whose type is `ty`.
pub(crate) fn component(result: Option<Val>, ty: Option<&Type>) -> Returned {
    match (result, ty) {
        (Some(Val::Result(Ok(ok))), Some(Type::Result(ty))) => Returned::Value(payload(ok, ty.ok().as_ref())),
        (Some(Val::Result(Err(err))), Some(Type::Result(ty))) => {
            Returned::GuestError(payload(err, ty.err().as_ref()))
        }
        (Some(other), Some(ty)) => Returned::Value(value(other, ty)),
        (None, None) => Returned::Value(Value::Null),
        (None, Some(_)) | (Some(_), None) => unreachable!("a result has a type, and only a result has one"),
    }
}

fn payload(payload: Option<Box<Val>>, ty: Option<&Type>) -> Value {
    match (payload, ty) {
        (Some(inner), Some(ty)) => value(*inner, ty),
        (None, None) => Value::Null,
        (None, Some(_)) | (Some(_), None) => unreachable!("a payload has a type, and only a payload has one"),
    }
}

/// `val`, which has the type `ty`. The type is needed where the value alone is not
/// clear: an empty list of bytes becomes an empty string.
fn value(val: Val, ty: &Type) -> Value {
    match val {
        Val::Bool(b) => Value::Bool(b),
        Val::S8(n) => Value::Signed(n.into()),
        Val::U8(n) => Value::Unsigned(n.into()),
        Val::S16(n) => Value::Signed(n.into()),
        Val::U16(n) => Value::Unsigned(n.into()),
        Val::S32(n) => Value::Signed(n.into()),
        Val::U32(n) => Value::Unsigned(n.into()),
        Val::S64(n) => Value::Signed(n),
        Val::U64(n) => Value::Unsigned(n),
        Val::Float32(n) => Value::Number(n.into()),
        Val::Float64(n) => Value::Number(n),
        Val::Char(c) => Value::String(c.into()),
        Val::String(text) | Val::Enum(text) => Value::String(text),
        Val::Flags(names) => Value::List(names.into_iter().map(Value::String).collect()),
        Val::List(items) => list(items, &ty.unwrap_list().ty()),
        Val::Tuple(items) => {
            let types = ty.unwrap_tuple().types();
            Value::List(items.into_iter().zip(types).map(|(item, ty)| value(item, &ty)).collect())
        }
        Val::Record(fields) => {
            let types = ty.unwrap_record().fields();
            let lifted = |((name, field), ty): ((String, Val), Field<'_>)| (name, value(field, &ty.ty));
            Value::Object(fields.into_iter().zip(types).map(lifted).collect())
        }
        Val::Option(None) => Value::Null,
        Val::Option(Some(inner)) => match ty.unwrap_option().ty() {
            // The object tells a present option of an absent one from an absent option.
            ty @ Type::Option(_) => Value::Object(vec![("some".to_owned(), value(*inner, &ty))]),
            ty => value(*inner, &ty),
        },
        Val::Variant(name, None) => Value::String(name),
        Val::Variant(name, inner @ Some(_)) => {
            let ty = ty.unwrap_variant().cases().find(|case| case.name == name).and_then(|case| case.ty);
            Value::Object(vec![(name, payload(inner, ty.as_ref()))])
        }
        Val::Result(Ok(ok)) => arm("ok", payload(ok, ty.unwrap_result().ok().as_ref())),
        Val::Result(Err(err)) => arm("err", payload(err, ty.unwrap_result().err().as_ref())),
        Val::Map(_)
        | Val::FixedLengthList(_)
        | Val::Resource(_)
        | Val::Future(_)
        | Val::Stream(_)
        | Val::ErrorContext(_) => unreachable!("{UNSUPPORTED}"),
    }
}

fn arm(name: &str, payload: Value) -> Value {
    Value::Object(vec![(name.to_owned(), payload)])
}

/// A list. A list of bytes becomes base64 text, as bytes are in proto3 JSON.
fn list(items: Vec<Val>, ty: &Type) -> Value {
    if !matches!(ty, Type::U8) {
        return Value::List(items.into_iter().map(|item| value(item, ty)).collect());
    }
    let byte = |item| match item {
        Val::U8(byte) => byte,
        other => unreachable!("an item of a list of bytes is {other:?}"),
    };
    Value::String(STANDARD.encode(items.into_iter().map(byte).collect::<Vec<u8>>()))
}
