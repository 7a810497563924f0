//! Functions are found by name and given parameters of their own types.

use crate::rig::{LIMITS, Rig, ended, parameter};
use pilum_call::BindError;
use pilum_types::{FunctionName, Parameter, Value};

const NUMBERS: &str = r#"(module
    (func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
    (func (export "wide") (param i64) (result i64) (local.get 0))
    (func (export "half") (param f32) (result f32) (f32.mul (local.get 0) (f32.const 0.5)))
    (func (export "double") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 2)))
    (func (export "both") (result i32 i64) (i32.const 1) (i64.const 2))
    (func (export "nothing"))
    (func (export "vector") (param v128)))"#;

#[tokio::test]
async fn core_functions_take_and_return_numbers() {
    let rig = Rig::new();
    for (function, values, ends) in [
        ("sub", vec![Value::Signed(2), Value::Number(5.0)], "value Signed(-3)"),
        ("sub", vec![Value::Unsigned(u64::from(u32::MAX)), Value::Signed(0)], "value Signed(-1)"),
        ("wide", vec![Value::String("-9223372036854775808".into())], "value Signed(-9223372036854775808)"),
        ("wide", vec![Value::Unsigned(u64::MAX)], "value Signed(-1)"),
        ("half", vec![Value::Number(3.0)], "value Number(1.5)"),
        ("double", vec![Value::String("Infinity".into())], "value Number(inf)"),
        // A whole number beyond 2^53 is sent as text inside a list. A float rounds it.
        ("double", vec![Value::String("9007199254740993".into())], "value Number(1.8014398509481984e16)"),
        (
            "double",
            vec![Value::String("-9223372036854775808".into())],
            "value Number(-1.8446744073709552e19)",
        ),
        ("both", vec![], "value List([Signed(1), Signed(2)])"),
        ("nothing", vec![], "value Null"),
    ] {
        assert_eq!(rig.ends(NUMBERS, function, values, LIMITS).await, ends, "{function}");
    }
}

#[tokio::test]
async fn an_error_names_the_parameter_and_the_type() {
    let rig = Rig::new();
    for (function, values, reason) in [
        ("sub", vec![Value::Signed(1)], "p1: is missing; sub: func(p0: s32, p1: s32) -> s32"),
        ("nothing", vec![Value::Null], "parameters: 1 were given, 0 are taken; nothing: func()"),
        (
            "sub",
            vec![Value::Signed(1 << 40), Value::Null],
            "p0: expected s32, got 1099511627776, which is out of its range",
        ),
        ("sub", vec![Value::Number(1.5), Value::Null], "p0: expected s32, got the number 1.5"),
        ("sub", vec![Value::String("1".into()), Value::Null], "p0: expected s32, got the string \"1\""),
        (
            "wide",
            vec![Value::String("1x".into())],
            "p0: expected s64, got the string \"1x\", which is no whole number",
        ),
        (
            "wide",
            vec![Value::Number(1e17)],
            "p0: expected s64, got the number 100000000000000000 (a JSON number is not exact beyond 2^53: send a decimal string)",
        ),
        ("half", vec![Value::Bool(true)], "p0: expected f32, got the bool true"),
        ("vector", vec![Value::Null], "p0: a vector cannot be passed from outside"),
    ] {
        let code = rig.code(NUMBERS).await.unwrap();
        match rig.call(&code, function, values, LIMITS).await {
            Err(BindError::Parameter { path, reason: found }) => {
                assert_eq!(format!("{path}: {found}"), reason);
            }
            other => unreachable!("{function}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn parameters_match_by_name_or_by_position() {
    let rig = Rig::new();
    let code = rig.code(NUMBERS).await.unwrap();
    let bind = |parameters: Vec<Parameter>| {
        rig.bind(&code, &FunctionName::parse("sub").unwrap(), parameters)
            .map(|_| ())
            .map_err(|e| format!("{e:?}"))
    };
    let (five, two) = (Value::Signed(5), Value::Signed(2));
    assert_eq!(bind(vec![parameter("p1", two.clone()), parameter("p0", five.clone())]), Ok(()));
    // A core module has no names for parameters, so they are taken in order.
    assert_eq!(bind(vec![parameter("a", five.clone()), parameter("b", two.clone())]), Ok(()));
    let doubled = bind(vec![parameter("p0", five.clone()), parameter("p0", two.clone())]).unwrap_err();
    assert!(doubled.contains("p1") && doubled.contains("is missing"), "{doubled}");
    let typed = Parameter { name: String::new(), type_name: "string".into(), value: five };
    let wrong = bind(vec![typed, parameter("", two)]).unwrap_err();
    assert!(wrong.contains("expected s32, got the type \\\"string\\\""), "{wrong}");
}

#[tokio::test]
async fn an_unknown_function_lists_the_exported_functions() {
    let rig = Rig::new();
    let code = rig.code(NUMBERS).await.unwrap();
    let error = rig.call(&code, "substract", vec![], LIMITS).await.unwrap_err();
    let BindError::FunctionNotFound { name: _, exported } = error else { unreachable!("{error:?}") };
    assert_eq!(exported.first().unwrap(), "sub: func(p0: s32, p1: s32) -> s32");
    assert_eq!(exported.len(), 7);
}

/// A preview 1 command that writes its standard input to standard output and a
/// line to standard error, and ends with an exit code.
fn command(exit_code: u32) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\00\10\00\00\00\10\00\00") (data (i32.const 16) "\40\00\00\00\0c\00\00\00")
        (data (i32.const 64) "it \1b[31mran\n")
        (func (export "_start")
          (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
          (i32.store (i32.const 4) (i32.load (i32.const 8)))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (drop (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 8)))
          (call $exit (i32.const {exit_code}))))"#
    )
}

#[tokio::test]
async fn a_command_reads_json_and_writes_its_result_to_standard_output() {
    let rig = Rig::new();
    let code = rig.code(&command(0)).await.unwrap();
    let function = FunctionName::parse("any-name").unwrap();
    let parameters = vec![
        parameter("text", Value::String("hé\"".into())),
        parameter("limit", Value::Number(5.0)),
        parameter(
            "deep",
            Value::Object(vec![("list".into(), Value::List(vec![Value::Null, Value::Bool(true)]))]),
        ),
    ];
    let call = rig.bind(&code, &function, parameters).unwrap();
    let context = pilum_call::CallContext::new(
        pilum_types::TaskName::parse("a-task").unwrap(),
        pilum_types::TaskId::parse("a-task").unwrap(),
        function,
        LIMITS,
    );
    let outcome = rig.engine.run(call, context).await;
    assert_eq!(ended(&outcome), r#"raw "{\"deep\":{\"list\":[null,true]},\"limit\":5,\"text\":\"hé\\\"\"}""#);
    let log: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(log, ["it \\u{1b}[31mran"]);
}

#[tokio::test]
async fn an_exit_code_is_a_failure() {
    let rig = Rig::new();
    assert_eq!(
        rig.ends(&command(3), "run", vec![], LIMITS).await,
        "GUEST_EXIT: the command ended with exit code 3"
    );
}
