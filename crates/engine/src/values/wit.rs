//! Describes wasmtime's types in the words of the domain.

use pilum_types::{Case, Field, ValueType};
use wasmtime::ValType;
use wasmtime::component::Type;

/// Bytes that an entry of a description takes besides its text.
const ENTRY_BYTES: usize = 32;

/// The description of a component type.
pub(crate) fn value_type(ty: &Type) -> ValueType {
    let boxed = |ty: Type| Box::new(value_type(&ty));
    match ty {
        Type::Bool => ValueType::Bool,
        Type::S8 => ValueType::S8,
        Type::U8 => ValueType::U8,
        Type::S16 => ValueType::S16,
        Type::U16 => ValueType::U16,
        Type::S32 => ValueType::S32,
        Type::U32 => ValueType::U32,
        Type::S64 => ValueType::S64,
        Type::U64 => ValueType::U64,
        Type::Float32 => ValueType::F32,
        Type::Float64 => ValueType::F64,
        Type::Char => ValueType::Char,
        Type::String => ValueType::String,
        Type::List(list) => ValueType::List(boxed(list.ty())),
        Type::Option(option) => ValueType::Option(boxed(option.ty())),
        Type::Result(result) => {
            ValueType::Result { ok: result.ok().map(boxed), err: result.err().map(boxed) }
        }
        Type::Record(record) => ValueType::Record(
            record
                .fields()
                .map(|field| Field { name: field.name.into(), ty: value_type(&field.ty) })
                .collect(),
        ),
        Type::Tuple(tuple) => ValueType::Tuple(tuple.types().map(|ty| value_type(&ty)).collect()),
        Type::Enum(names) => ValueType::Enum(names.names().map(str::to_owned).collect()),
        Type::Flags(names) => ValueType::Flags(names.names().map(str::to_owned).collect()),
        Type::Variant(variant) => ValueType::Variant(
            variant
                .cases()
                .map(|case| Case { name: case.name.into(), payload: case.ty.as_ref().map(value_type) })
                .collect(),
        ),
        Type::Own(_) | Type::Borrow(_) => ValueType::Unsupported("resource handle"),
        Type::Future(_) => ValueType::Unsupported("future"),
        Type::Stream(_) => ValueType::Unsupported("stream"),
        Type::ErrorContext => ValueType::Unsupported("error context"),
        Type::Map(_) => ValueType::Unsupported("map"),
        Type::FixedLengthList(_) => ValueType::Unsupported("fixed-length list"),
    }
}

/// Takes the bytes of the description that [`value_type`] would make from `left`;
/// false if `left` is not enough. WebAssembly shares types and a description repeats
/// them, so the description of a small artifact can be larger than the memory.
pub(crate) fn take_size(ty: &Type, left: &mut usize) -> bool {
    take(0, left)
        && match ty {
            Type::Enum(names) => names.names().all(|name| take(name.len(), left)),
            Type::Flags(names) => names.names().all(|name| take(name.len(), left)),
            Type::Record(record) => {
                record.fields().all(|field| take(field.name.len(), left) && take_size(&field.ty, left))
            }
            Type::Variant(variant) => variant.cases().all(|case| {
                take(case.name.len(), left) && case.ty.as_ref().is_none_or(|ty| take_size(ty, left))
            }),
            Type::Tuple(tuple) => tuple.types().all(|ty| take_size(&ty, left)),
            Type::List(list) => take_size(&list.ty(), left),
            Type::Option(option) => take_size(&option.ty(), left),
            Type::Result(result) => {
                [result.ok(), result.err()].into_iter().flatten().all(|ty| take_size(&ty, left))
            }
            Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::Float32
            | Type::Float64
            | Type::Char
            | Type::String
            | Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext
            | Type::Map(_)
            | Type::FixedLengthList(_) => true,
        }
}

/// Takes an entry with so many bytes of text from `left`; false if `left` is not enough.
pub(crate) fn take(bytes: usize, left: &mut usize) -> bool {
    match left.checked_sub(bytes + ENTRY_BYTES) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

/// The description of a core type.
pub(crate) fn core_type(ty: &ValType) -> ValueType {
    match ty {
        ValType::I32 => ValueType::S32,
        ValType::I64 => ValueType::S64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::Unsupported("vector"),
        ValType::Ref(_) => ValueType::Unsupported("reference"),
    }
}

/// The first part of the type that callers cannot pass, if there is one.
pub(crate) fn unsupported(ty: &ValueType) -> Option<&'static str> {
    match ty {
        ValueType::Unsupported(what) => Some(what),
        ValueType::List(item) | ValueType::Option(item) => unsupported(item),
        ValueType::Result { ok, err } => [ok, err].into_iter().flatten().find_map(|ty| unsupported(ty)),
        ValueType::Record(fields) => fields.iter().find_map(|field| unsupported(&field.ty)),
        ValueType::Tuple(items) => items.iter().find_map(unsupported),
        ValueType::Variant(cases) => {
            cases.iter().filter_map(|case| case.payload.as_ref()).find_map(unsupported)
        }
        ValueType::Bool
        | ValueType::S8
        | ValueType::U8
        | ValueType::S16
        | ValueType::U16
        | ValueType::S32
        | ValueType::U32
        | ValueType::S64
        | ValueType::U64
        | ValueType::F32
        | ValueType::F64
        | ValueType::Char
        | ValueType::String
        | ValueType::Enum(_)
        | ValueType::Flags(_) => None,
    }
}

/// Whether a caller that wrote `name` as a parameter's type can mean `ty`. Callers may
/// use WIT's own spelling and the usual names of JSON, protobuf and core WebAssembly.
pub(crate) fn agrees(name: &str, ty: &ValueType) -> bool {
    let name = name.trim();
    if name.is_empty() || name == ty.to_string() {
        return true;
    }
    let is = |names: &[&str]| names.contains(&name.to_ascii_lowercase().as_str());
    match ty {
        ValueType::Bool => is(&["boolean"]),
        ValueType::S8 | ValueType::S16 | ValueType::U8 | ValueType::U16 => {
            is(&["integer", "int", "number", "i32"])
        }
        ValueType::S32 => is(&["i32", "int32", "integer", "int", "number", "u32"]),
        ValueType::U32 => is(&["i32", "uint32", "integer", "int", "number"]),
        ValueType::S64 => is(&["i64", "int64", "integer", "int", "number", "u64"]),
        ValueType::U64 => is(&["i64", "uint64", "integer", "int", "number"]),
        ValueType::F32 => is(&["float", "float32", "number"]),
        ValueType::F64 => is(&["double", "float64", "float", "number"]),
        ValueType::Char | ValueType::String | ValueType::Enum(_) => is(&["string", "str", "text"]),
        ValueType::List(item) if **item == ValueType::U8 => is(&["bytes", "list", "array"]),
        ValueType::List(_) | ValueType::Tuple(_) | ValueType::Flags(_) => is(&["list", "array"]),
        ValueType::Record(_) => is(&["object", "struct", "record", "json"]),
        ValueType::Result { .. } | ValueType::Variant(_) => {
            is(&["object", "struct", "json", "result", "variant"])
        }
        ValueType::Option(some) => is(&["null", "option"]) || agrees(name, some),
        ValueType::Unsupported(_) => false,
    }
}
