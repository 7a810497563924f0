//! What a function takes and returns, as JSON Schema (draft 2020-12).
//!
//! Whatever the schema of the parameters admits is accepted, save decimal text of
//! an integer beyond its 64 bits; and whatever a function returns is admitted by
//! the schema of its result. A caller may spell some values in other ways too
//! (`docs/types.md` has them all); a schema gives the one in which results come.

use pilum_types::{Case, Field, FunctionKind, FunctionSignature, ValueType};
use serde_json::{Map, Value as Json, json};

/// The dialect, for those who read a schema on its own.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Types that the schemas of one function describe. A component may describe
/// many more in few bytes; what is beyond is admitted and left to the signature.
const TYPES_MAX: usize = 10_000;
/// Whole numbers up to here are exact as JSON numbers. Beyond they are text.
const EXACT_MAX: i64 = 1 << 53;
/// Base64 with its padding and without stray bits, as it is read.
const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// The schemas of a function: `{"parameters": …, "result": …}`.
///
/// `parameters` is of an object with one property a parameter; `required` lists
/// those that may not be left out, in their order (`properties` has none). `result` is of what comes back
/// on success: the ok arm of a `result`, null where nothing is returned, a list
/// of all where a core function returns several.
pub(crate) fn of(signature: &FunctionSignature) -> Json {
    if signature.kind == FunctionKind::Command {
        return json!({
            "parameters": {
                "$schema": DIALECT,
                "type": "object",
                "description": "Given to the command as it is, as JSON on its standard input.",
            },
            "result": {
                "$schema": DIALECT,
                "type": "string",
                "description": "What the command writes to its standard output.",
            },
        });
    }
    if signature.kind == FunctionKind::Handler {
        return handler();
    }
    let core = signature.kind == FunctionKind::Core;
    let mut given = Schemas { side: if core { Side::GivenToCore } else { Side::Given }, left: TYPES_MAX };
    let mut returned = Schemas { side: Side::Returned, left: TYPES_MAX };
    let parameters = given.record(&signature.parameters);
    let result = match signature.results.as_slice() {
        [] => json!({ "type": "null" }),
        [ValueType::Result { ok, err: _ }] => returned.payload(ok.as_deref()),
        [one] => returned.schema(one),
        several => returned.tuple(several),
    };
    json!({ "parameters": with_dialect(parameters), "result": with_dialect(result) })
}

/// An http handler's: a request, and the body of its response.
fn handler() -> Json {
    json!({
        "parameters": {
            "$schema": DIALECT,
            "type": "object",
            "properties": {
                "method": { "type": ["string", "null"], "description": "GET where it is left out." },
                "path": { "type": ["string", "null"], "pattern": "^/", "description": "With the query; / where it is left out." },
                "headers": { "type": ["object", "null"], "additionalProperties": { "type": "string" } },
                "body": { "description": "Text as it is, anything else as JSON." },
            },
            "required": [],
            "additionalProperties": false,
        },
        "result": {
            "$schema": DIALECT,
            "type": "string",
            "description": "The body of the response; its status is `http_status` among the metrics.",
        },
    })
}

fn with_dialect(mut schema: Json) -> Json {
    if let Json::Object(keywords) = &mut schema {
        keywords.insert("$schema".to_owned(), DIALECT.into());
    }
    schema
}

/// Which way a value goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Given,
    /// To a core function, whose integers have no sign: both readings are taken.
    GivenToCore,
    Returned,
}

struct Schemas {
    side: Side,
    /// Types that may still be described.
    left: usize,
}

impl Schemas {
    fn schema(&mut self, ty: &ValueType) -> Json {
        let Some(left) = self.left.checked_sub(1) else {
            return json!({ "description": "See the function's signature." });
        };
        self.left = left;
        match ty {
            ValueType::Bool => json!({ "type": "boolean" }),
            ValueType::S8 => integer(i8::MIN.into(), i8::MAX.into()),
            ValueType::U8 => integer(0, u8::MAX.into()),
            ValueType::S16 => integer(i16::MIN.into(), i16::MAX.into()),
            ValueType::U16 => integer(0, u16::MAX.into()),
            ValueType::S32 if self.side == Side::GivenToCore => integer(i32::MIN.into(), u32::MAX.into()),
            ValueType::S32 => integer(i32::MIN.into(), i32::MAX.into()),
            ValueType::U32 => integer(0, u32::MAX.into()),
            ValueType::S64 if self.side == Side::GivenToCore => wide(-EXACT_MAX, "^-?[0-9]{1,20}$"),
            ValueType::S64 => wide(-EXACT_MAX, "^-?[0-9]{1,19}$"),
            ValueType::U64 => wide(0, "^[0-9]{1,20}$"),
            ValueType::F32 | ValueType::F64 => {
                json!({ "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }] })
            }
            ValueType::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            ValueType::String => json!({ "type": "string" }),
            ValueType::List(item) if **item == ValueType::U8 => self.bytes(),
            ValueType::List(item) => json!({ "type": "array", "items": self.schema(item) }),
            ValueType::Option(some) => {
                let present = self.schema(some);
                let present = if some.admits_null() { wrapped("some", present) } else { present };
                json!({ "anyOf": [{ "type": "null" }, present] })
            }
            ValueType::Result { ok, err } => json!({ "oneOf": [
                wrapped("ok", self.payload(ok.as_deref())),
                wrapped("err", self.payload(err.as_deref())),
            ] }),
            ValueType::Record(fields) => self.record(fields),
            ValueType::Tuple(items) => self.tuple(items),
            ValueType::Enum(names) => json!({ "type": "string", "enum": names }),
            ValueType::Variant(cases) => {
                json!({ "oneOf": cases.iter().map(|case| self.case(case)).collect::<Vec<_>>() })
            }
            ValueType::Flags(names) => json!({
                "type": "array",
                "items": { "type": "string", "enum": names },
                "uniqueItems": true,
            }),
            ValueType::Unsupported(what) => {
                json!({ "not": {}, "description": format!("A {what} cannot be passed from outside.") })
            }
        }
    }

    fn bytes(&self) -> Json {
        let text = json!({ "type": "string", "contentEncoding": "base64", "pattern": BASE64 });
        match self.side {
            Side::Returned => text,
            Side::Given | Side::GivenToCore => {
                let numbers = json!({ "type": "array", "items": integer(0, u8::MAX.into()) });
                json!({ "anyOf": [text, numbers] })
            }
        }
    }

    /// Options may be left out of what is given; what is returned has them as null.
    fn record(&mut self, fields: &[Field]) -> Json {
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| self.side == Side::Returned || !field.ty.admits_null())
            .map(|field| field.name.as_str())
            .collect();
        let properties: Map<_, _> =
            fields.iter().map(|field| (field.name.clone(), self.schema(&field.ty))).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn tuple(&mut self, items: &[ValueType]) -> Json {
        json!({
            "type": "array",
            "prefixItems": items.iter().map(|item| self.schema(item)).collect::<Vec<_>>(),
            "items": false,
            "minItems": items.len(),
        })
    }

    fn case(&mut self, case: &Case) -> Json {
        match &case.payload {
            None => json!({ "const": case.name }),
            Some(payload) => wrapped(&case.name, self.schema(payload)),
        }
    }

    fn payload(&mut self, ty: Option<&ValueType>) -> Json {
        ty.map_or_else(|| json!({ "type": "null" }), |ty| self.schema(ty))
    }
}

fn integer(min: i64, max: i64) -> Json {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// 64 bits: a number where that is exact, else decimal text.
fn wide(min: i64, pattern: &str) -> Json {
    json!({ "anyOf": [integer(min, EXACT_MAX), { "type": "string", "pattern": pattern }] })
}

/// `{name: …}` and nothing else.
fn wrapped(name: &str, schema: Json) -> Json {
    let properties = Map::from_iter([(name.to_owned(), schema)]);
    json!({
        "type": "object",
        "properties": properties,
        "required": [name],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests;
