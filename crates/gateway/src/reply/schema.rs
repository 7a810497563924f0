//! The parameters and the result of a function as JSON Schema (draft 2020-12).
//!
//! The host accepts every value that the schema of the parameters allows, except decimal
//! text of an integer that does not fit in 64 bits. The schema of the result allows every
//! value that the function can return. A caller may write some values in other forms too
//! (`docs/types.md` lists them all); a schema has the form that results have.

use pilum_types::{Case, Field, FunctionKind, FunctionSignature, ValueType};
use serde_json::{Map, Value as Json, json};

/// The dialect. Each schema names it, so that each can be read without the other.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// How many types the schemas of one function describe. A component can describe many
/// more in few bytes. The schema allows any value for a type beyond this bound and
/// refers to the function's signature.
const TYPES_MAX: usize = 10_000;
/// Whole numbers up to this one are exact as JSON numbers. Larger numbers are text.
const EXACT_MAX: i64 = 1 << 53;
/// Base64 as the host reads it: with padding, and with zeros in the unused bits.
const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// The schemas of a function: `{"parameters": …, "result": …}`.
///
/// `parameters` describes an object with one property for each parameter. `required`
/// lists the parameters that must be given, in the order of the function (the order of
/// `properties` means nothing). `result` describes the value of a successful call: the ok
/// case of a `result`, null if the function returns nothing, or a list if a core function
/// returns several values.
pub(super) fn function_schema(signature: &FunctionSignature) -> Json {
    if signature.kind == FunctionKind::Command {
        return json!({
            "parameters": {
                "$schema": DIALECT,
                "type": "object",
                "description": "The command gets this object as JSON on its standard input.",
            },
            "result": {
                "$schema": DIALECT,
                "type": "string",
                "description": "What the command writes to its standard output.",
            },
        });
    }
    if signature.kind == FunctionKind::Handler {
        return handler_schema();
    }
    let core = signature.kind == FunctionKind::Core;
    let mut given = SchemaWriter {
        position: if core { Position::CoreParameter } else { Position::Parameter },
        types_left: TYPES_MAX,
    };
    let mut returned = SchemaWriter { position: Position::Result, types_left: TYPES_MAX };
    let parameters = given.record(&signature.parameters);
    let result = match signature.results.as_slice() {
        [] => json!({ "type": "null" }),
        [ValueType::Result { ok, err: _ }] => returned.payload(ok.as_deref()),
        [one] => returned.schema(one),
        several => returned.tuple(several),
    };
    json!({ "parameters": with_dialect(parameters), "result": with_dialect(result) })
}

/// The schemas of an http handler: a request, and the body of its response.
fn handler_schema() -> Json {
    json!({
        "parameters": {
            "$schema": DIALECT,
            "type": "object",
            "properties": {
                "method": { "type": ["string", "null"], "description": "If it is left out, GET." },
                "path": { "type": ["string", "null"], "pattern": "^/", "description": "The path with the query. If it is left out, /." },
                "headers": { "type": ["object", "null"], "additionalProperties": { "type": "string" } },
                "body": { "description": "Text is sent unchanged, any other value as JSON." },
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

/// Where a value is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Parameter,
    /// A parameter of a core function. Its integers have no sign, so both the signed and
    /// the unsigned form are accepted.
    CoreParameter,
    Result,
}

struct SchemaWriter {
    position: Position,
    /// How many more types may be described.
    types_left: usize,
}

impl SchemaWriter {
    fn schema(&mut self, ty: &ValueType) -> Json {
        let Some(types_left) = self.types_left.checked_sub(1) else {
            return json!({ "description": "See the function's signature." });
        };
        self.types_left = types_left;
        match ty {
            ValueType::Bool => json!({ "type": "boolean" }),
            ValueType::S8 => integer(i8::MIN.into(), i8::MAX.into()),
            ValueType::U8 => integer(0, u8::MAX.into()),
            ValueType::S16 => integer(i16::MIN.into(), i16::MAX.into()),
            ValueType::U16 => integer(0, u16::MAX.into()),
            ValueType::S32 if self.position == Position::CoreParameter => {
                integer(i32::MIN.into(), u32::MAX.into())
            }
            ValueType::S32 => integer(i32::MIN.into(), i32::MAX.into()),
            ValueType::U32 => integer(0, u32::MAX.into()),
            ValueType::S64 if self.position == Position::CoreParameter => wide(-EXACT_MAX, "^-?[0-9]{1,20}$"),
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
        match self.position {
            Position::Result => text,
            Position::Parameter | Position::CoreParameter => {
                let numbers = json!({ "type": "array", "items": integer(0, u8::MAX.into()) });
                json!({ "anyOf": [text, numbers] })
            }
        }
    }

    /// An option may be left out of a parameter; a result has it as null.
    fn record(&mut self, fields: &[Field]) -> Json {
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| self.position == Position::Result || !field.ty.admits_null())
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

/// A 64-bit integer: a number if that is exact, else decimal text.
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
