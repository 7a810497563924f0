//! Values of every WIT type are sent to a guest and returned unchanged; values that do
//! not fit are refused.

use pilum_client::{ClientError, Code, InvokeResult};
use pilum_tests::wire::{any, guest_artifact, named, new_task};
use pilum_tests::{Functions, Host, guest_path, value_of};
use pilum_types::{Output, State, Value};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde_json::{Value as Json, json};

/// A JSON number is exact for every whole number up to this one.
const EXACT_MAX: u64 = 1 << 53;

async fn values_echo(host: &Host) -> Functions {
    Functions::of_guest(host, "values-echo.wasm").await.unwrap()
}

/// A value in the form in which results travel: numbers as floats, or as text
/// where a float is not exact; bytes as base64; fields by name.
fn as_result(value: Value) -> Value {
    match value {
        Value::Signed(n) if n.unsigned_abs() <= EXACT_MAX => Value::Number(n as f64),
        Value::Signed(n) => Value::String(n.to_string()),
        Value::Unsigned(n) if n <= EXACT_MAX => Value::Number(n as f64),
        Value::Unsigned(n) => Value::String(n.to_string()),
        Value::Number(n) if n.is_nan() => Value::String("NaN".into()),
        Value::Number(n) if n.is_infinite() => {
            Value::String(if n > 0.0 { "Infinity" } else { "-Infinity" }.into())
        }
        Value::List(items) => Value::List(items.into_iter().map(as_result).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.into_iter().map(|(name, field)| (name, as_result(field))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields)
        }
        same @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Bytes(_)) => same,
    }
}

#[track_caller]
fn typed(invoked: InvokeResult) -> Value {
    match invoked.status.output {
        Some(Output::Typed(value)) => value,
        other => panic!("{other:?} {:?} {}", invoked.status.error_code, invoked.status.error_message),
    }
}

/// Checks that `given` is returned as exactly `back`. All NaNs count as equal.
async fn check(echo: &Functions, function: &str, given: Value, back: Value) {
    let got = typed(echo.invoke_with(function, vec![given.clone()]).await.unwrap());
    assert_eq!(as_result(got), as_result(back), "{function} {given:?}");
}

async fn check_same(echo: &Functions, function: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        check(echo, function, value.clone(), value).await;
    }
}

#[tokio::test]
async fn integers_are_returned_exactly_up_to_their_bounds() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    for (function, min, max) in [
        ("echo-s8", i64::from(i8::MIN), i64::from(i8::MAX)),
        ("echo-u8", 0, u8::MAX.into()),
        ("echo-s16", i16::MIN.into(), i16::MAX.into()),
        ("echo-u16", 0, u16::MAX.into()),
        ("echo-s32", i32::MIN.into(), i32::MAX.into()),
        ("echo-u32", 0, u32::MAX.into()),
        ("echo-s64", i64::MIN, i64::MAX),
        ("echo-s64", -(1 << 53) - 1, (1 << 53) + 1),
        ("echo-u64", (1 << 53) - 1, (1 << 53) + 1),
        ("echo-u64", 0, i64::MAX),
    ] {
        check_same(&echo, function, [min, max, 1].map(Value::Signed)).await;
    }
    check_same(&echo, "echo-u64", [u64::MAX, u64::MAX - 1, 1 << 63].map(Value::Unsigned)).await;
    // As in proto3's JSON: 64-bit integers as text, and whole floats as integers.
    check(&echo, "echo-u64", Value::String(u64::MAX.to_string()), Value::Unsigned(u64::MAX)).await;
    check(&echo, "echo-s64", Value::String(i64::MIN.to_string()), Value::Signed(i64::MIN)).await;
    check(&echo, "echo-s64", Value::Number(-9_007_199_254_740_992.0), Value::Signed(-(1 << 53))).await;
    check(&echo, "echo-u8", Value::Number(255.0), Value::Unsigned(255)).await;
}

#[tokio::test]
async fn floats_chars_and_strings_are_returned_exactly() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 0.5];
    for function in ["echo-f32", "echo-f64"] {
        check_same(&echo, function, special.map(Value::Number)).await;
        for text in ["NaN", "Infinity", "-Infinity"] {
            check(&echo, function, Value::String(text.into()), Value::String(text.into())).await;
        }
        check(&echo, function, Value::Signed(-3), Value::Number(-3.0)).await;
    }
    check_same(&echo, "echo-f64", [f64::MIN, f64::MAX, 5e-324, 0.1, 1e300].map(Value::Number)).await;
    let singles = [f32::MIN, f32::MAX, f32::MIN_POSITIVE, 0.1, 1e-45];
    check_same(&echo, "echo-f32", singles.map(|single| Value::Number(single.into()))).await;
    // A number is rounded to the nearest f32.
    check(&echo, "echo-f32", Value::Number(0.1), Value::Number(f64::from(0.1_f32))).await;

    check_same(&echo, "echo-bool", [true, false].map(Value::Bool)).await;
    let chars = ['a', '\0', 'ß', '\u{d7ff}', '\u{e000}', '𝄞', '\u{10ffff}'];
    check_same(&echo, "echo-char", chars.map(|c| Value::String(c.into()))).await;
    let long = "grüße, 世界 ".repeat(5_000);
    let strings = ["", "a", "\0", "line\r\nline\t\u{1b}", "𝄞\u{200d}", "null", "5", &long];
    check_same(&echo, "echo-string", strings.map(|s| Value::String(s.into()))).await;
}

#[tokio::test]
async fn bytes_are_base64_text_in_results() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    let base64 = |text: &str| Value::String(text.into());
    for (bytes, text) in [(&b""[..], ""), (b"\0", "AA=="), (b"any carnal pleas", "YW55IGNhcm5hbCBwbGVhcw==")]
    {
        check(&echo, "echo-list-u8", Value::Bytes(bytes.into()), base64(text)).await;
        check(&echo, "echo-list-u8", base64(text), base64(text)).await;
        let list = bytes.iter().map(|byte| Value::Unsigned((*byte).into())).collect();
        check(&echo, "echo-list-u8", Value::List(list), base64(text)).await;
    }
    let many: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let back = typed(echo.invoke_with("echo-list-u8", vec![Value::Bytes(many.clone())]).await.unwrap());
    let Value::String(text) = &back else { panic!("{}", back.kind()) };
    assert_eq!(text.len(), 100_000_usize.div_ceil(3) * 4);
    // The result can be sent again and is returned unchanged.
    assert!(typed(echo.invoke_with("echo-list-u8", vec![back.clone()]).await.unwrap()) == back);
}

#[tokio::test]
async fn compound_values_are_returned_exactly() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    let ada = json!({
        "name": "Ada", "age": 36, "home": { "x": -1, "y": 2 },
        "visited": [{ "x": i32::MIN, "y": i32::MAX }, { "x": 0, "y": 0 }],
        "nicknames": ["", "Countess"], "favourite": "dark-orange", "access": ["read", "set-owner"]
    });
    let bob = json!({
        "name": "", "age": null, "home": { "x": 0, "y": 0 }, "visited": [], "nicknames": [],
        "favourite": null, "access": []
    });
    for (function, values) in [
        ("echo-list-string", json!([[], [""], ["a", "", "𝄞"]])),
        ("echo-option-string", json!([null, "", "null"])),
        ("echo-option-option-u32", json!([null, { "some": null }, { "some": 7 }])),
        ("echo-list-result", json!([[], [{ "ok": 1 }, { "err": "no" }, { "ok": u32::MAX }, { "err": "" }]])),
        ("echo-record", json!([ada, bob])),
        ("echo-tuple", json!([[0, "", false], [u32::MAX, "x", true]])),
        ("echo-enum", json!(["red", "green", "blue", "dark-orange"])),
        (
            "echo-variant",
            json!(["nothing", { "circle": 0.5 }, { "rectangle": [1.5, -2.5] }, { "named": "" }]),
        ),
        ("echo-variant", json!([{ "polygon": [] }, { "polygon": [{ "x": 1, "y": -1 }] }])),
        ("echo-flags", json!([[], ["read"], ["read", "write", "execute", "set-owner"]])),
    ] {
        let Json::Array(values) = values else { panic!("the values of {function} are no list") };
        check_same(&echo, function, values.into_iter().map(value_of)).await;
    }
    let bob_in_short = json!({
        "visited": [], "nicknames": [], "access": [], "home": { "y": 0, "x": 0 }, "name": ""
    });
    for (function, given, back) in [
        // A missing field is an absent option; fields may come in any order.
        ("echo-record", bob_in_short, bob),
        ("echo-option-option-u32", json!(7), json!({ "some": 7 })),
        ("echo-variant", json!({ "nothing": null }), json!("nothing")),
        ("echo-flags", json!(["set-owner", "read", "read"]), json!(["read", "set-owner"])),
        ("echo-result", json!({ "ok": 5 }), json!(5)),
    ] {
        check(&echo, function, value_of(given), value_of(back)).await;
    }
    for message in ["no", ""] {
        let (code, got) = echo.failure("echo-result", json!([{ "err": message }])).await.unwrap();
        assert_eq!((code.as_str(), got.as_str()), ("GUEST_ERROR", message));
    }
    let (code, message) = echo.failure("fail", json!(["on purpose"])).await.unwrap();
    assert_eq!((code.as_str(), message.as_str()), ("GUEST_ERROR", "on purpose"));
}

/// Each message that may hold a parameter, sent by a client generated from the contract.
#[tokio::test]
async fn every_message_of_the_contract_is_accepted() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let artifact = guest_artifact("values-echo.wasm").unwrap();
    let value = |kind| prost_types::Value { kind: Some(kind) };
    let list = ListValue { values: vec![value(Kind::StringValue("a".into()))] };
    let text = |name: &str| (name.to_owned(), value(Kind::StringValue(name.to_owned())));
    let err = Struct { fields: [text("err")].into() };
    for (function, given, back) in [
        ("echo-string", any("StringValue", &"text".to_owned()), Kind::StringValue("text".into())),
        ("echo-list-u8", any("BytesValue", &b"\xff".to_vec()), Kind::StringValue("/w==".into())),
        ("echo-bool", any("BoolValue", &true), Kind::BoolValue(true)),
        ("echo-s32", any("Int32Value", &i32::MIN), Kind::NumberValue(i32::MIN.into())),
        ("echo-s64", any("Int64Value", &i64::MIN), Kind::StringValue(i64::MIN.to_string())),
        ("echo-u32", any("UInt32Value", &u32::MAX), Kind::NumberValue(u32::MAX.into())),
        ("echo-u64", any("UInt64Value", &u64::MAX), Kind::StringValue(u64::MAX.to_string())),
        ("echo-f32", any("FloatValue", &0.1_f32), Kind::NumberValue(0.1_f32.into())),
        ("echo-f64", any("DoubleValue", &0.1_f64), Kind::NumberValue(0.1)),
        ("echo-option-string", any("Value", &value(Kind::NullValue(0))), Kind::NullValue(0)),
        ("echo-list-string", any("ListValue", &list), Kind::ListValue(list.clone())),
        ("echo-list-result", any("ListValue", &ListValue::default()), Kind::ListValue(ListValue::default())),
        (
            "echo-variant",
            any("Value", &value(Kind::StringValue("nothing".into()))),
            Kind::StringValue("nothing".into()),
        ),
    ] {
        let request = new_task("echo", &artifact, function, vec![named("", given)]);
        let response = client.invoke_function(request).await.unwrap().into_inner();
        let result = response.result.unwrap();
        assert_eq!(result.result, Some(any("Value", &value(back))), "{function} {}", result.error_message);
    }
    let invoke = new_task("echo", &artifact, "echo-result", vec![named("", any("Struct", &err))]);
    let result = client.invoke_function(invoke).await.unwrap().into_inner().result.unwrap();
    assert_eq!((result.error_code.as_str(), result.error_message.as_str()), ("GUEST_ERROR", "err"));
}

async fn check_wrong(echo: &Functions, function: &str, given: Value, says: &str) {
    match echo.invoke_with(function, vec![given.clone()]).await {
        Err(ClientError::Status(refused)) => {
            assert_eq!(refused.code, Code::InvalidArgument, "{function} {given:?}: {refused}");
            assert!(refused.message.starts_with(says), "{function} {given:?}: {refused}");
            let path = says.split(": ").next().unwrap();
            assert_eq!(refused.field, Some(format!("parameters.{path}")), "{function} {given:?}");
        }
        other => panic!("{function} {given:?}: {other:?}"),
    }
}

#[tokio::test]
async fn scalars_that_do_not_fit_are_refused() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    for (function, given, says) in [
        ("echo-bool", json!(1), "value: expected bool, got the integer 1"),
        ("echo-bool", json!("true"), "value: expected bool, got the string \"true\""),
        ("echo-u8", json!(256), "value: expected u8, got 256, which is out of its range"),
        ("echo-u8", json!(-1), "value: expected u8, got -1, which is out of its range"),
        ("echo-u8", json!("5"), "value: expected u8, got the string \"5\""),
        ("echo-u8", json!(null), "value: expected u8, got null"),
        ("echo-s8", json!(-129), "value: expected s8, got -129, which is out of its range"),
        ("echo-u16", json!(65_536), "value: expected u16, got 65536, which is out of its range"),
        ("echo-s16", json!(32_768), "value: expected s16, got 32768, which is out of its range"),
        ("echo-u32", json!(1_i64 << 32), "value: expected u32, got 4294967296, which is out of"),
        ("echo-s32", json!(1_i64 << 31), "value: expected s32, got 2147483648, which is out of"),
        ("echo-s32", json!(0.5), "value: expected s32, got the number 0.5"),
        ("echo-u64", json!(-1), "value: expected u64, got -1, which is out of its range"),
        (
            "echo-u64",
            json!("18446744073709551616"),
            "value: expected u64, got 18446744073709551616, which is out",
        ),
        (
            "echo-s64",
            json!("-9223372036854775809"),
            "value: expected s64, got -9223372036854775809, which is out",
        ),
        ("echo-s64", json!("1.5"), "value: expected s64, got the string \"1.5\", which is no whole number"),
        ("echo-s64", json!(""), "value: expected s64, got the string \"\", which is no whole number"),
        (
            "echo-u64",
            json!(1e19),
            "value: expected u64, got the number 10000000000000000000 (a JSON number is not",
        ),
        ("echo-f32", json!("1.5"), "value: expected f32, got the string \"1.5\""),
        ("echo-f64", json!(true), "value: expected f64, got the bool true"),
        ("echo-char", json!("ab"), "value: expected char (a string of one character), got the string \"ab\""),
        ("echo-char", json!(""), "value: expected char"),
        ("echo-char", json!(97), "value: expected char"),
        ("echo-string", json!(5), "value: expected string, got the integer 5"),
        ("echo-string", json!(null), "value: expected string, got null"),
    ] {
        check_wrong(&echo, function, value_of(given), says).await;
    }
    for number in [f64::NAN, f64::INFINITY] {
        check_wrong(&echo, "echo-s64", Value::Number(number), "value: expected s64, got").await;
    }
    check_wrong(&echo, "echo-string", Value::Bytes(vec![1]), "value: expected string, got bytes").await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn compound_values_that_do_not_fit_are_refused() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    let person = |name: &str, field: Json| {
        let mut person = json!({
            "name": "", "home": { "x": 0, "y": 0 }, "visited": [], "nicknames": [], "access": []
        });
        person[name] = field;
        person
    };
    for (function, given, says) in [
        ("echo-list-u8", json!("%%%"), "value: expected list<u8> as base64, got a string that is not: "),
        ("echo-list-u8", json!([1, 256]), "value[1]: expected u8, got 256, which is out of its range"),
        ("echo-list-string", json!("a"), "value: expected list<string>, got the string \"a\""),
        ("echo-list-string", json!(["a", 1]), "value[1]: expected string, got the number 1"),
        ("echo-option-string", json!(5), "value: expected string, got the integer 5"),
        ("echo-option-option-u32", json!({ "some": "x" }), "value: expected u32, got the string \"x\""),
        ("echo-option-option-u32", json!({ "none": 1 }), "value: expected null or {\"some\": …}"),
        ("echo-result", json!(5), "value: expected result<u32, string>, got the integer 5"),
        ("echo-result", json!({ "maybe": 1 }), "value: expected {\"ok\": …} or {\"err\": …}, got \"maybe\""),
        ("echo-result", json!({ "ok": 1, "err": "" }), "value: expected result<u32, string>, got "),
        ("echo-result", json!({ "ok": "x" }), "value.ok: expected u32, got the string \"x\""),
        (
            "echo-list-result",
            json!([{ "ok": 1 }, { "err": 2 }]),
            "value[1].err: expected string, got the number 2",
        ),
        ("echo-record", json!([]), "value: expected record { name: string, "),
        (
            "echo-record",
            json!({ "name": "" }),
            "value: the field home (record { x: s32, y: s32 }) is missing",
        ),
        (
            "echo-record",
            person("nane", json!("")),
            "value: the field \"nane\" is doubled or unknown; expected",
        ),
        (
            "echo-record",
            person("age", json!(256)),
            "value.age: expected u8, got 256, which is out of its range",
        ),
        ("echo-record", person("home", json!({ "x": 1 })), "value.home: the field y (s32) is missing"),
        (
            "echo-record",
            person("visited", json!([{ "x": 1, "y": 2 }, { "x": "one", "y": 2 }])),
            "value.visited[1].x: expected s32, got the string \"one\"",
        ),
        ("echo-record", person("favourite", json!("pink")), "value.favourite: expected enum { red, green, "),
        ("echo-record", person("access", json!(["read", "fly"])), "value.access: expected flags { read, "),
        ("echo-tuple", json!([1, "x"]), "value: expected 3 values, got 2"),
        ("echo-tuple", json!([1, 2, true]), "value[1]: expected string, got the number 2"),
        ("echo-tuple", json!({ "0": 1 }), "value: expected tuple<u32, string, bool>, got object"),
        (
            "echo-enum",
            json!("pink"),
            "value: expected enum { red, green, blue, dark-orange }, got the string \"pink\"",
        ),
        ("echo-enum", json!(0), "value: expected enum"),
        ("echo-variant", json!("square"), "value: expected variant { nothing, circle(f64), "),
        ("echo-variant", json!("circle"), "value: the case circle carries f64: write {\"circle\": …}"),
        ("echo-variant", json!({ "circle": "x" }), "value.circle: expected f64, got the string \"x\""),
        (
            "echo-variant",
            json!({ "nothing": 1 }),
            "value: the case nothing carries nothing: write \"nothing\"",
        ),
        ("echo-variant", json!({ "rectangle": [1] }), "value.rectangle: expected 2 values, got 1"),
        (
            "echo-variant",
            json!({ "polygon": [{ "x": 1 }] }),
            "value.polygon[0]: the field y (s32) is missing",
        ),
        (
            "echo-flags",
            json!("read"),
            "value: expected flags { read, write, execute, set-owner }, got the string",
        ),
    ] {
        check_wrong(&echo, function, value_of(given), says).await;
    }
}

#[tokio::test]
async fn parameters_of_too_many_values_are_refused() {
    let host = Host::start().await.unwrap();
    let echo = values_echo(&host).await;
    let says = "value: the parameters have more than 1000000 values";
    check_wrong_quietly(&echo, "echo-list-u8", Value::Bytes(vec![7; 2 << 20]), says).await;
    let empty = Value::String(String::new());
    check_wrong_quietly(&echo, "echo-list-string", Value::List(vec![empty; 1_000_001]), "value[999999]")
        .await;
    check(&echo, "echo-u8", Value::Signed(1), Value::Signed(1)).await;
}

/// Like `check_wrong`, for values too long to print.
async fn check_wrong_quietly(echo: &Functions, function: &str, given: Value, says: &str) {
    let error = echo.invoke_with(function, vec![given]).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Some(Code::InvalidArgument), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

async fn check_too_large(functions: &Functions, function: &str, parameters: Json) {
    let invoked = functions.invoke(function, parameters).await.unwrap();
    assert_eq!(
        (invoked.status.error_code.as_deref(), invoked.status.state),
        (Some("RESULT_TOO_LARGE"), State::Failed),
        "{function}: {}",
        invoked.status.error_message
    );
    assert!(invoked.status.error_message.contains("4096"), "{}", invoked.status.error_message);
    assert_eq!(invoked.status.output, None);
}

#[tokio::test]
async fn results_above_their_bound_fail() {
    let host = Host::builder().config("[limits]\nresult_max_bytes = 4096").start().await.unwrap();
    let echo = values_echo(&host).await;
    check_too_large(&echo, "echo-string", json!(["x".repeat(4097)])).await;
    check_too_large(&echo, "echo-list-u8", json!([vec![1; 4097]])).await;
    check_too_large(&echo, "echo-list-string", json!([vec![""; 4097]])).await;
    check_too_large(&echo, "echo-list-result", json!([vec![json!({ "ok": 1 }); 4097]])).await;
    check_same(&echo, "echo-string", ["", &"x".repeat(3000)].map(|s| Value::String(s.into()))).await;
    // Output of a typed function is no result, so the bound does not limit it.
    let line = "y".repeat(100_000);
    let printed = echo.invoke("print", json!([line])).await.unwrap();
    assert!(printed.success, "{:?}", printed.status);

    for (bytes, fits) in [(4096, true), (4097, false), (1 << 20, false)] {
        let wasm = wat::parse_str(writes(bytes)).unwrap();
        let command = Functions::of_bytes(&host, &format!("writes-{bytes}"), &wasm).await.unwrap();
        if fits {
            let status = command.invoke("run", json!({})).await.unwrap().status;
            let whole = matches!(&status.output, Some(Output::Raw(output)) if output.len() == bytes);
            assert!(whole, "{:?} {}", status.error_code, status.error_message);
        } else {
            check_too_large(&command, "run", json!(null)).await;
        }
    }
    // The bound does not limit a command's input.
    let sales = std::fs::read_to_string(guest_path("sales.csv").unwrap()).unwrap();
    let command = Functions::of_guest(&host, "analyze-dataset.command.wasm").await.unwrap();
    let report = command.result("run", json!({ "csv": sales, "resamples": 0 })).await.unwrap();
    assert_eq!(report["rows"], 100_000);
    let article = std::fs::read_to_string(guest_path("../extract-keywords/article.txt").unwrap()).unwrap();
    let words: Vec<String> = (0..500).map(|i| format!("word{}", "abcdefghij".repeat(1 + i % 9))).collect();
    let text = article.repeat(20) + &words.join(" and ");
    for guest in ["extract-keywords.wasm", "extract-keywords.command.wasm"] {
        let keywords = Functions::of_guest(&host, guest).await.unwrap();
        check_too_large(&keywords, "run", json!({ "text": text, "limit": 1000 })).await;
        let report = keywords.result("run", json!({ "text": text, "limit": 1 })).await.unwrap();
        assert_eq!(report["keywords"][0]["word"], "bridge");
    }
}

/// A command that writes `bytes` zeros with one call.
fn writes(bytes: usize) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 20)
            (func (export "_start") (local $left i32)
                (local.set $left (i32.const {bytes}))
                (loop $more
                    (i32.store (i32.const 0) (i32.const 64))
                    (i32.store (i32.const 4) (local.get $left))
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
                    (br_if $more (local.get $left)))))"#
    )
}
