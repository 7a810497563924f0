//! Tables of values and their messages on the wire.

use super::*;
use pilum_types::{Output, Value};
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct};

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/google.protobuf.{name}"), value: message.encode_to_vec() }
}

fn wire(kind: Kind) -> prost_types::Value {
    prost_types::Value { kind: Some(kind) }
}

#[test]
fn every_accepted_message() {
    let list = ListValue { values: vec![wire(Kind::NumberValue(1.5)), wire(Kind::NullValue(0))] };
    let object = Struct { fields: [("a".to_owned(), wire(Kind::BoolValue(true)))].into() };
    let list_value = Value::List(vec![Value::Number(1.5), Value::Null]);
    let object_value = Value::Object(vec![("a".into(), Value::Bool(true))]);
    let table = [
        (any("Value", &wire(Kind::NumberValue(7.0))), Value::Number(7.0)),
        (any("Value", &wire(Kind::ListValue(list.clone()))), list_value.clone()),
        (any("Struct", &object), object_value),
        (any("ListValue", &list), list_value),
        (any("StringValue", &"héé".to_owned()), Value::String("héé".into())),
        (any("BytesValue", &vec![0_u8, 255]), Value::Bytes(vec![0, 255])),
        (any("BoolValue", &true), Value::Bool(true)),
        (any("Int32Value", &i32::MIN), Value::Signed(i32::MIN.into())),
        (any("Int64Value", &i64::MIN), Value::Signed(i64::MIN)),
        (any("UInt32Value", &u32::MAX), Value::Unsigned(u32::MAX.into())),
        (any("UInt64Value", &u64::MAX), Value::Unsigned(u64::MAX)),
        (any("FloatValue", &0.5_f32), Value::Number(0.5)),
        (any("DoubleValue", &f64::NEG_INFINITY), Value::Number(f64::NEG_INFINITY)),
    ];
    for accepted in ACCEPTED {
        assert!(table.iter().any(|(any, _)| any.type_url.ends_with(&format!(".{accepted}"))), "{accepted}");
    }
    for (any, value) in table {
        assert_eq!(value_from_any(&any), Ok(value), "{}", any.type_url);
        // The default value of a proto3 scalar is encoded as no bytes.
        let empty = Any { type_url: any.type_url.clone(), value: Vec::new() };
        let read = value_from_any(&empty);
        assert_eq!(read.is_err(), any.type_url.ends_with(".Value"), "{}: {read:?}", any.type_url);
    }
}

#[test]
fn any_prefix_before_the_last_slash() {
    for prefix in ["", "/", "type.googleapis.com/", "example.com/a/b/"] {
        let any = Any { type_url: format!("{prefix}google.protobuf.BoolValue"), value: true.encode_to_vec() };
        assert_eq!(value_from_any(&any), Ok(Value::Bool(true)), "{prefix}");
    }
}

#[test]
fn messages_that_are_not_values() {
    let check = |type_url: &str, value: &[u8], says: &str| {
        let any = Any { type_url: type_url.into(), value: value.into() };
        assert_eq!(value_from_any(&any).map_err(|e| e.to_string()), Err(says.to_owned()));
    };
    let accepted = "accepted are google.protobuf's Value, Struct, ListValue, StringValue, BytesValue, \
                    BoolValue, Int32Value, Int64Value, UInt32Value, UInt64Value, FloatValue, DoubleValue";
    check("", b"", &format!("holds \"\", {accepted}"));
    check("t/google.protobuf.Duration", b"", &format!("holds \"google.protobuf.Duration\", {accepted}"));
    check("t/acme.Value", b"", &format!("holds \"acme.Value\", {accepted}"));
    check(&format!("t/{}", "x".repeat(9_000)), b"", &format!("holds {:?}, {accepted}", "x".repeat(80)));
    let malformed = "holds bytes that are no google.protobuf.StringValue, or that nest too deep";
    check("t/google.protobuf.StringValue", b"\xff", malformed);
    check("t/google.protobuf.StringValue", b"\x0a\x01\xff", malformed);
    // Text that is not UTF-8: as a Value, as the name of a field, and as a field.
    let malformed = "holds bytes that are no google.protobuf.Value, or that nest too deep";
    check("t/google.protobuf.Value", b"\x1a\x01\xff", malformed);
    check("t/google.protobuf.Value", b"\x2a\x09\x0a\x07\x0a\x01\xff\x12\x02\x08\x00", malformed);
    check("t/google.protobuf.Value", b"\x2a\x0a\x0a\x08\x0a\x01k\x12\x03\x1a\x01\xff", malformed);
    check(
        "t/google.protobuf.Value",
        b"",
        "holds a google.protobuf.Value without a kind; set null_value for null",
    );
}

/// `levels` lists or objects nested in each other.
fn nest(levels: usize, wrap: fn(Value) -> Value) -> Value {
    (0..levels).fold(Value::Null, |inner, _| wrap(inner))
}

#[test]
fn depth_is_bounded_in_both_directions_and_the_deepest_value_is_read_back() {
    let wraps: [fn(Value) -> Value; 2] =
        [|inner| Value::List(vec![inner]), |inner| Value::Object(vec![("k".into(), inner)])];
    for wrap in wraps {
        let deepest = nest(DEPTH_MAX, wrap);
        let any = parameter_to_any(&deepest).expect("fits");
        assert_eq!(value_from_any(&any), Ok(deepest));
        assert_eq!(parameter_to_any(&nest(DEPTH_MAX + 1, wrap)), Err(TooDeep));
    }
    let list = |inner| wire(Kind::ListValue(ListValue { values: vec![inner] }));
    let lists = |levels| (0..levels).fold(wire(Kind::NullValue(0)), |inner, _| list(inner));
    assert_eq!(value_from_any(&any("Value", &lists(DEPTH_MAX + 1))), Err(ReadError::TooDeep));
    // Far deeper than protobuf allows: an error, not a stack overflow.
    let mut bytes = vec![0x08, 0x00];
    for _ in 0..10_000 {
        let list = [vec![0x0a], varint(bytes.len()), bytes].concat();
        bytes = [vec![0x32], varint(list.len()), list].concat();
    }
    let abyss = Any { type_url: "t/google.protobuf.Value".into(), value: bytes };
    assert_eq!(value_from_any(&abyss), Err(ReadError::Malformed { name: "Value" }));
}

fn varint(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(len as u64, &mut bytes);
    bytes
}

#[test]
fn parameters_keep_their_type() {
    for (value, name) in [
        (Value::Signed(i64::MIN), "Int64Value"),
        (Value::Unsigned(u64::MAX), "UInt64Value"),
        (Value::Bytes(vec![1, 2, 3]), "BytesValue"),
        (Value::Number(2.5), "Value"),
        (Value::Null, "Value"),
        (Value::String("x".into()), "Value"),
    ] {
        let any = parameter_to_any(&value).expect("shallow");
        assert_eq!(any.type_url, format!("type.googleapis.com/google.protobuf.{name}"));
        assert_eq!(value_from_any(&any), Ok(value));
    }
}

#[test]
fn results_lose_no_precision() {
    const EXACT: i64 = 1 << 53;
    for (value, kind) in [
        (Value::Signed(-3), Kind::NumberValue(-3.0)),
        (Value::Signed(EXACT), Kind::NumberValue(9_007_199_254_740_992.0)),
        (Value::Signed(-EXACT), Kind::NumberValue(-9_007_199_254_740_992.0)),
        (Value::Signed(EXACT + 1), Kind::StringValue("9007199254740993".into())),
        (Value::Signed(i64::MIN), Kind::StringValue("-9223372036854775808".into())),
        (Value::Unsigned(u64::MAX), Kind::StringValue("18446744073709551615".into())),
        (Value::Number(f64::NAN), Kind::StringValue("NaN".into())),
        (Value::Number(f64::INFINITY), Kind::StringValue("Infinity".into())),
        (Value::Number(f64::NEG_INFINITY), Kind::StringValue("-Infinity".into())),
        (Value::Bytes(vec![0xff, 0xfe]), Kind::StringValue("//4=".into())),
        (Value::Null, Kind::NullValue(0)),
    ] {
        assert_eq!(output_to_any(&Output::Typed(value)), Ok(any("Value", &wire(kind))));
    }
}

#[test]
fn raw_results_are_read_back() {
    for bytes in [Vec::new(), vec![0], vec![7; 300]] {
        assert_eq!(output_to_any(&Output::Raw(bytes.clone())), Ok(any("BytesValue", &bytes)));
    }
    let raw = Output::Raw(vec![0, 1, 255]);
    assert_eq!(output_from_any(&output_to_any(&raw).expect("flat")), Ok(raw));
    let typed = Output::Typed(Value::List(vec![Value::Bool(false)]));
    assert_eq!(output_from_any(&output_to_any(&typed).expect("flat")), Ok(typed));
}
