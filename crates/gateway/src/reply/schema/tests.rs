//! Schemas of functions and of types.

use super::*;
use insta::assert_snapshot;

fn field(name: &str, ty: ValueType) -> Field {
    Field { name: name.to_owned(), ty }
}

fn boxed(ty: ValueType) -> Box<ValueType> {
    Box::new(ty)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn signature(kind: FunctionKind, parameters: Vec<Field>, results: Vec<ValueType>) -> FunctionSignature {
    FunctionSignature { name: "f".to_owned(), kind, parameters, results }
}

/// The schemas of `ty` as a parameter and as a result, each on a line.
fn both(ty: &ValueType) -> String {
    let given = SchemaWriter { position: Position::Parameter, types_left: TYPES_MAX }.schema(ty);
    let returned = SchemaWriter { position: Position::Result, types_left: TYPES_MAX }.schema(ty);
    if given == returned { given.to_string() } else { format!("given    {given}\nreturned {returned}") }
}

#[test]
fn a_whole_function() {
    let parameters = vec![
        field("text", ValueType::String),
        field("limit", ValueType::Option(boxed(ValueType::U32))),
        field("all", ValueType::Bool),
    ];
    let result = ValueType::Result { ok: Some(boxed(ValueType::F64)), err: Some(boxed(ValueType::String)) };
    let schema = function_schema(&signature(FunctionKind::Component, parameters, vec![result]));
    assert_snapshot!(serde_json::to_string_pretty(&schema).unwrap(), @r###"
    {
      "parameters": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "additionalProperties": false,
        "properties": {
          "all": {
            "type": "boolean"
          },
          "limit": {
            "anyOf": [
              {
                "type": "null"
              },
              {
                "maximum": 4294967295,
                "minimum": 0,
                "type": "integer"
              }
            ]
          },
          "text": {
            "type": "string"
          }
        },
        "required": [
          "text",
          "all"
        ],
        "type": "object"
      },
      "result": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "anyOf": [
          {
            "type": "number"
          },
          {
            "enum": [
              "NaN",
              "Infinity",
              "-Infinity"
            ]
          }
        ]
      }
    }
    "###);
}

#[test]
fn a_core_function_accepts_signed_and_unsigned_integers() {
    let parameters = vec![field("p0", ValueType::S32), field("p1", ValueType::S64)];
    let results = vec![ValueType::S32, ValueType::S64];
    let schema = function_schema(&signature(FunctionKind::Core, parameters, results));
    assert_snapshot!(schema["parameters"]["properties"], @r#"{"p0":{"maximum":4294967295,"minimum":-2147483648,"type":"integer"},"p1":{"anyOf":[{"maximum":9007199254740992,"minimum":-9007199254740992,"type":"integer"},{"pattern":"^-?[0-9]{1,20}$","type":"string"}]}}"#);
    assert_snapshot!(schema["result"], @r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","items":false,"minItems":2,"prefixItems":[{"maximum":2147483647,"minimum":-2147483648,"type":"integer"},{"anyOf":[{"maximum":9007199254740992,"minimum":-9007199254740992,"type":"integer"},{"pattern":"^-?[0-9]{1,19}$","type":"string"}]}],"type":"array"}"#);
}

#[test]
fn functions_without_a_result_and_commands() {
    assert_snapshot!(function_schema(&signature(FunctionKind::Component, vec![], vec![])), @r#"{"parameters":{"$schema":"https://json-schema.org/draft/2020-12/schema","additionalProperties":false,"properties":{},"required":[],"type":"object"},"result":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"null"}}"#);
    let unit = ValueType::Result { ok: None, err: Some(boxed(ValueType::String)) };
    assert_snapshot!(function_schema(&signature(FunctionKind::Component, vec![], vec![unit]))["result"], @r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"null"}"#);
    assert_snapshot!(function_schema(&signature(FunctionKind::Command, vec![], vec![])), @r#"{"parameters":{"$schema":"https://json-schema.org/draft/2020-12/schema","description":"The command gets this object as JSON on its standard input.","type":"object"},"result":{"$schema":"https://json-schema.org/draft/2020-12/schema","description":"What the command writes to its standard output.","type":"string"}}"#);
}

#[test]
fn scalars() {
    assert_snapshot!(both(&ValueType::Bool), @r#"{"type":"boolean"}"#);
    assert_snapshot!(both(&ValueType::S8), @r#"{"maximum":127,"minimum":-128,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::U8), @r#"{"maximum":255,"minimum":0,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::S16), @r#"{"maximum":32767,"minimum":-32768,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::U16), @r#"{"maximum":65535,"minimum":0,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::S32), @r#"{"maximum":2147483647,"minimum":-2147483648,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::U32), @r#"{"maximum":4294967295,"minimum":0,"type":"integer"}"#);
    assert_snapshot!(both(&ValueType::S64), @r#"{"anyOf":[{"maximum":9007199254740992,"minimum":-9007199254740992,"type":"integer"},{"pattern":"^-?[0-9]{1,19}$","type":"string"}]}"#);
    assert_snapshot!(both(&ValueType::U64), @r#"{"anyOf":[{"maximum":9007199254740992,"minimum":0,"type":"integer"},{"pattern":"^[0-9]{1,20}$","type":"string"}]}"#);
    assert_snapshot!(both(&ValueType::F32), @r#"{"anyOf":[{"type":"number"},{"enum":["NaN","Infinity","-Infinity"]}]}"#);
    assert_snapshot!(both(&ValueType::F64), @r#"{"anyOf":[{"type":"number"},{"enum":["NaN","Infinity","-Infinity"]}]}"#);
    assert_snapshot!(both(&ValueType::Char), @r#"{"maxLength":1,"minLength":1,"type":"string"}"#);
    assert_snapshot!(both(&ValueType::String), @r#"{"type":"string"}"#);
}

#[test]
fn lists_and_options() {
    assert_snapshot!(both(&ValueType::List(boxed(ValueType::U8))), @r###"
    given    {"anyOf":[{"contentEncoding":"base64","pattern":"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$","type":"string"},{"items":{"maximum":255,"minimum":0,"type":"integer"},"type":"array"}]}
    returned {"contentEncoding":"base64","pattern":"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$","type":"string"}
    "###);
    assert_snapshot!(both(&ValueType::List(boxed(ValueType::Bool))), @r#"{"items":{"type":"boolean"},"type":"array"}"#);
    let option = ValueType::Option(boxed(ValueType::Bool));
    assert_snapshot!(both(&option), @r#"{"anyOf":[{"type":"null"},{"type":"boolean"}]}"#);
    assert_snapshot!(both(&ValueType::Option(boxed(option))), @r#"{"anyOf":[{"type":"null"},{"additionalProperties":false,"properties":{"some":{"anyOf":[{"type":"null"},{"type":"boolean"}]}},"required":["some"],"type":"object"}]}"#);
}

#[test]
fn types_with_names_and_cases() {
    let fields = vec![field("b", ValueType::Bool), field("a", ValueType::Option(boxed(ValueType::Char)))];
    assert_snapshot!(both(&ValueType::Record(fields)), @r###"
    given    {"additionalProperties":false,"properties":{"a":{"anyOf":[{"type":"null"},{"maxLength":1,"minLength":1,"type":"string"}]},"b":{"type":"boolean"}},"required":["b"],"type":"object"}
    returned {"additionalProperties":false,"properties":{"a":{"anyOf":[{"type":"null"},{"maxLength":1,"minLength":1,"type":"string"}]},"b":{"type":"boolean"}},"required":["b","a"],"type":"object"}
    "###);
    assert_snapshot!(both(&ValueType::Tuple(vec![ValueType::Bool, ValueType::String])), @r#"{"items":false,"minItems":2,"prefixItems":[{"type":"boolean"},{"type":"string"}],"type":"array"}"#);
    assert_snapshot!(both(&ValueType::Enum(names(&["red", "dark-orange"]))), @r#"{"enum":["red","dark-orange"],"type":"string"}"#);
    assert_snapshot!(both(&ValueType::Flags(names(&["read", "write"]))), @r#"{"items":{"enum":["read","write"],"type":"string"},"type":"array","uniqueItems":true}"#);
    let cases = vec![
        Case { name: "nothing".to_owned(), payload: None },
        Case { name: "named".to_owned(), payload: Some(ValueType::String) },
    ];
    assert_snapshot!(both(&ValueType::Variant(cases)), @r#"{"oneOf":[{"const":"nothing"},{"additionalProperties":false,"properties":{"named":{"type":"string"}},"required":["named"],"type":"object"}]}"#);
    assert_snapshot!(both(&ValueType::Result { ok: None, err: Some(boxed(ValueType::String)) }), @r#"{"oneOf":[{"additionalProperties":false,"properties":{"ok":{"type":"null"}},"required":["ok"],"type":"object"},{"additionalProperties":false,"properties":{"err":{"type":"string"}},"required":["err"],"type":"object"}]}"#);
    assert_snapshot!(both(&ValueType::Unsupported("resource handle")), @r#"{"description":"A resource handle cannot be passed from outside.","not":{}}"#);
}

/// A type that has few nodes in memory and very many when it is written out.
#[test]
fn a_type_too_large_to_describe_is_cut() {
    let twice = |ty: ValueType| ValueType::Tuple(vec![ty.clone(), ty]);
    let large = (0..18).fold(ValueType::Bool, |inner, _| twice(inner));
    let schema = function_schema(&signature(FunctionKind::Component, vec![field("p", large)], vec![]));
    let text = schema.to_string();
    assert!(text.len() < 4 << 20, "{}", text.len());
    assert!(text.contains("See the function's signature."));
}
