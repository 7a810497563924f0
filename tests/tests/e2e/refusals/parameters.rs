//! Parameters that do not fit the function.

use super::check;
use pilum_proto::spearlet::{FunctionParameter, InvokeFunctionRequest};
use pilum_tests::Host;
use pilum_tests::wire::{any, asynchronous, guest_artifact, named, new_task, number, numbers, text};
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct, Value};
use tonic::Code;

/// A row: the function, its parameters, the wrong field, a part of the message.
type Row = (&'static str, Vec<FunctionParameter>, &'static str, &'static str);

async fn check_all(guest: &str, rows: Vec<Row>) {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let artifact = guest_artifact(guest).unwrap();
    for (function, parameters, field, says) in rows {
        let request = new_task("t", &artifact, function, parameters);
        check(&client, request.clone(), Code::InvalidArgument, field, &[says]).await;
        check(&client, asynchronous(request), Code::InvalidArgument, field, &[says]).await;
    }
}

fn typed(name: &str, ty: &str, value: Any) -> FunctionParameter {
    FunctionParameter { r#type: ty.to_owned(), ..named(name, value) }
}

fn null() -> Any {
    any("Value", &Value { kind: Some(Kind::NullValue(0)) })
}

#[tokio::test]
async fn missing_repeated_and_unknown_parameters_are_refused() {
    let n = || number(1.0);
    let without_value = FunctionParameter { value: None, ..named("b", n()) };
    check_all(
        "calculate-fibonacci.wasm",
        vec![
            ("add", vec![], "parameters.a", "is missing"),
            ("add", vec![named("a", n())], "parameters.b", "is missing; add: func(a: s32, b: s32) -> s32"),
            ("add", vec![named("b", n())], "parameters.a", "is missing"),
            ("add", numbers(&[1.0]), "parameters.b", "is missing"),
            ("add", vec![named("a", n()), named("a", n())], "parameters[1].name", "\"a\" is given twice"),
            (
                "add",
                vec![named("a", n()), named("b", n()), named("a", n())],
                "parameters[2].name",
                "given twice",
            ),
            (
                "add",
                vec![named("a", n()), named("b", n()), named("c", n())],
                "parameters.c",
                "is not a parameter",
            ),
            ("add", vec![named("a", n()), named("B", n())], "parameters.b", "is missing"),
            ("add", vec![named("a", n()), named("", n())], "parameters[1].name", "either every parameter"),
            ("add", vec![named("", n()), named("b", n())], "parameters[1].name", "either every parameter"),
            ("add", vec![named("a", n()), without_value], "parameters[1].value", "has no value"),
            ("add", numbers(&[1.0; 3]), "parameters", "3 were given, 2 are taken"),
            ("add", numbers(&[1.0; 1_025]), "parameters", "1025 entries, at most 1024"),
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_of_the_wrong_type_are_refused() {
    const F: &str = "calculate-fibonacci";
    let one = |value| vec![named("n", value)];
    let list = ListValue { values: vec![] };
    check_all(
        "calculate-fibonacci.wasm",
        vec![
            (F, one(text("many")), "parameters.n", "expected u32, got the string \"many\""),
            (F, one(text("7")), "parameters.n", "expected u32, got the string \"7\""),
            (F, one(number(1.5)), "parameters.n", "expected u32, got the number 1.5"),
            (F, one(null()), "parameters.n", "expected u32"),
            (F, one(any("BoolValue", &true)), "parameters.n", "expected u32, got the bool true"),
            (F, one(any("BytesValue", &vec![1_u8])), "parameters.n", "expected u32"),
            (F, one(any("ListValue", &list)), "parameters.n", "expected u32"),
            (F, one(any("Struct", &Struct::default())), "parameters.n", "expected u32"),
            (F, one(any("DoubleValue", &f64::NAN)), "parameters.n", "expected u32, got the number NaN"),
            (F, vec![typed("n", "string", number(5.0))], "parameters.n", "expected u32, got the type"),
            (F, vec![typed("n", "u64", number(5.0))], "parameters.n", "expected u32, got the type"),
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_out_of_range_are_refused() {
    const F: &str = "calculate-fibonacci";
    let one = |value| vec![named("n", value)];
    let s32 = |a: Any| vec![named("a", a), named("b", number(0.0))];
    let says = "which is out of its range";
    check_all(
        "calculate-fibonacci.wasm",
        vec![
            (F, one(number(-1.0)), "parameters.n", says),
            (F, one(number(4_294_967_296.0)), "parameters.n", says),
            (F, one(any("Int64Value", &i64::MIN)), "parameters.n", says),
            (F, one(any("UInt64Value", &u64::MAX)), "parameters.n", says),
            (F, one(number(1e300)), "parameters.n", "not exact beyond 2^53"),
            (F, one(any("DoubleValue", &f64::INFINITY)), "parameters.n", "expected u32"),
            ("add", s32(number(2_147_483_648.0)), "parameters.a", says),
            ("add", s32(number(-2_147_483_649.0)), "parameters.a", says),
            ("add", s32(any("UInt32Value", &u32::MAX)), "parameters.a", says),
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_in_unknown_messages_are_refused() {
    const F: &str = "calculate-fibonacci";
    let raw = |type_url: &str, value: &[u8]| {
        vec![named("n", Any { type_url: type_url.into(), value: value.into() })]
    };
    let value = "parameters[0].value";
    check_all(
        "calculate-fibonacci.wasm",
        vec![
            (F, raw("", b""), value, "accepted are google.protobuf's Value, Struct"),
            (F, raw("type.googleapis.com/google.protobuf.Duration", b""), value, "google.protobuf.Duration"),
            (F, raw("t/google.protobuf.Int32Value", b"\xff"), value, "no google.protobuf.Int32Value"),
            (F, raw("t/google.protobuf.StringValue", b"\x0a\x01\xff"), value, "no google.protobuf"),
            (F, raw("t/google.protobuf.Value", b""), value, "without a kind"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_wrong_part_of_a_structure_is_named() {
    let s = |text: &str| Value { kind: Some(Kind::StringValue(text.into())) };
    let n = |number| Value { kind: Some(Kind::NumberValue(number)) };
    let list = |values| any("ListValue", &ListValue { values });
    let shape = |case: &str, payload| any("Struct", &Struct { fields: [(case.to_owned(), payload)].into() });
    let one = |value| vec![named("value", value)];
    check_all(
        "values-echo.wasm",
        vec![
            ("echo-list-string", one(list(vec![s("a"), n(1.0)])), "parameters.value[1]", "expected string"),
            ("echo-tuple", one(list(vec![n(1.0), s("a")])), "parameters.value", "expected"),
            ("echo-enum", one(text("violet")), "parameters.value", "violet"),
            ("echo-variant", one(shape("circle", s("x"))), "parameters.value.circle", "expected f64"),
            ("echo-variant", one(shape("hexagon", n(1.0))), "parameters.value", "hexagon"),
            ("echo-char", one(text("ab")), "parameters.value", "expected char"),
            ("echo-record", one(any("Struct", &Struct::default())), "parameters.value", "name"),
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_of_core_functions_and_commands_are_checked() {
    check_all(
        "calculate-fibonacci.core.wasm",
        vec![
            ("add", numbers(&[1.0]), "parameters.p1", "is missing"),
            ("add", vec![named("p0", text("x")), named("p1", number(1.0))], "parameters.p0", "expected s32"),
            ("add", numbers(&[1.0, 4_294_967_296.0]), "parameters.p1", "out of its range"),
        ],
    )
    .await;
    check_all(
        "extract-keywords.command.wasm",
        vec![("run", vec![named("", text("x"))], "parameters[0]", "need names")],
    )
    .await;
}

/// The same value may be sent in different messages of `google.protobuf`.
#[tokio::test]
async fn right_parameters_are_accepted() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let artifact = guest_artifact("calculate-fibonacci.wasm").unwrap();
    for n in [number(50.0), any("UInt32Value", &50_u32), any("Int64Value", &50_i64)] {
        let request = InvokeFunctionRequest {
            parameters: vec![typed("n", "u32", n)],
            ..new_task("t", &artifact, "calculate-fibonacci", vec![])
        };
        let answer = client.invoke_function(request).await.unwrap().into_inner();
        assert_eq!(answer.result.unwrap().result, Some(number(12_586_269_025.0)));
    }
}
