//! Calls that are refused: types that cannot be passed, names that fit several
//! functions, and values that are too many or too deep.

use crate::rig::{LIMITS, Rig, ended, parameter};
use pilum_call::BindError;
use pilum_engine::Code;
use pilum_types::{FunctionName, Value};
use std::sync::Arc;

/// `two` has no parameters; every other function has a handle somewhere in its type.
const COUNTER: &str = r#"(component
    (core module $m
        (func (export "two") (result i32) (i32.const 2))
        (func (export "make") (result i32) unreachable)
        (func (export "read") (param i32) (result i32) unreachable)
        (func (export "maybe") (param i32 i32) unreachable))
    (core instance $i (instantiate $m))
    (type $counter (resource (rep i32)))
    (export $c "counter" (type $counter))
    (func (export "two") (result u32) (canon lift (core func $i "two")))
    (func (export "make") (result (own $c)) (canon lift (core func $i "make")))
    (func (export "read") (param "self" (borrow $c)) (result u32) (canon lift (core func $i "read")))
    (func (export "maybe") (param "one" (option (own $c))) (canon lift (core func $i "maybe"))))"#;

#[tokio::test]
async fn a_handle_cannot_be_passed_and_other_functions_still_work() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    for (function, values, says) in [
        ("read", vec![Value::Unsigned(0)], "self: a resource handle cannot be passed from outside"),
        ("maybe", vec![Value::Null], "one: a resource handle cannot be passed from outside"),
        ("make", vec![], "result: a resource handle cannot be passed to the outside"),
    ] {
        assert_eq!(refusal(&rig, &code, function, values).await, says, "{function}");
    }
    assert_eq!(ended(&rig.call(&code, "two", vec![], LIMITS).await.unwrap()), "value Unsigned(2)");
    let signatures: Vec<_> = code.functions().iter().map(ToString::to_string).collect();
    assert!(
        signatures.contains(
            &"read: func(self: <resource handle: cannot be passed from outside>) -> u32".to_owned()
        ),
        "{signatures:?}"
    );
}

/// `run` in two interfaces and two versions, `stop` in one, `only` outside of interfaces.
fn interfaces() -> String {
    let instance = |name: &str, functions: &[(&str, u32)]| {
        let functions: String =
            functions.iter().map(|(name, n)| format!(" (export \"{name}\" (func $f{n}))")).collect();
        format!("(instance (export \"{name}\"){functions})")
    };
    let functions: String =
        (1..=5).map(|n| format!("(func $f{n} (result u32) (canon lift (core func $i \"f{n}\")))")).collect();
    let core: String =
        (1..=5).map(|n| format!("(func (export \"f{n}\") (result i32) (i32.const {n}))")).collect();
    format!(
        "(component (core module $m {core}) (core instance $i (instantiate $m)) {functions} {} {} {} {})",
        instance("acme:shop/cart@1.0.0", &[("run", 1), ("stop", 2)]),
        instance("acme:shop/cart@2.0.0", &[("run", 3)]),
        instance("acme:bank/vault", &[("run", 4)]),
        "(export \"only\" (func $f5))"
    )
}

#[tokio::test]
async fn a_short_name_means_one_function_or_names_them_all() {
    let rig = Rig::new();
    let code = rig.code(&interfaces()).await.unwrap();
    for (name, value) in [
        ("acme:shop/cart@1.0.0#run", 1),
        ("acme:shop/cart@2.0.0#run", 3),
        ("acme:bank/vault#run", 4),
        ("vault.run", 4),
        ("stop", 2),
        ("cart.stop", 2),
        ("acme:shop/cart#stop", 2),
        ("only", 5),
    ] {
        let ends = ended(&rig.call(&code, name, vec![], LIMITS).await.unwrap());
        assert_eq!(ends, format!("value Unsigned({value})"), "{name}");
    }
    let carts = ["acme:shop/cart@1.0.0#run", "acme:shop/cart@2.0.0#run"];
    let all = ["acme:shop/cart@1.0.0#run", "acme:shop/cart@2.0.0#run", "acme:bank/vault#run"];
    for (name, several) in [("run", &all[..]), ("cart.run", &carts), ("acme:shop/cart#run", &carts)] {
        match rig.call(&code, name, vec![], LIMITS).await {
            Err(BindError::Ambiguous { name: _, candidates }) => assert_eq!(candidates, several, "{name}"),
            other => unreachable!("{name}: {other:?}"),
        }
    }
}

/// A component that takes `ty` and does nothing with it.
fn takes(ty: &str) -> String {
    format!(
        r#"(component
        (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
            (func (export "take") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "take") (param "value" {ty}) (canon lift (core func $i "take")
            (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    )
}

#[tokio::test]
async fn ten_million_values_are_too_many_in_any_spelling() {
    const MANY: usize = 10_000_000;
    let rig = Rig::new();
    let bytes = rig.code(&takes("(list u8)")).await.unwrap();
    let says = "value: the parameters have more than 1000000 values";
    assert_eq!(refusal(&rig, &bytes, "take", vec![Value::Bytes(vec![0; MANY])]).await, says);
    let text = Value::String("AAAA".repeat(MANY / 3));
    assert_eq!(refusal(&rig, &bytes, "take", vec![text]).await, says);
    // In a list of lists the sum counts. The tenth list exceeds the bound.
    let lists = rig.code(&takes("(list (list u8))")).await.unwrap();
    let parts = Value::List(vec![Value::Bytes(vec![0; MANY / 100]); 100]);
    let says = "value[9]: the parameters have more than 1000000 values";
    assert_eq!(refusal(&rig, &lists, "take", vec![parts]).await, says);
}

#[tokio::test]
async fn ten_thousand_levels_are_refused_and_do_no_harm() {
    const LEVELS: usize = 10_000;
    let list: fn(Value) -> Value = |inner| Value::List(vec![inner]);
    let object: fn(Value) -> Value = |inner| Value::Object(vec![("k".into(), inner)]);
    let rig = Rig::new();
    let typed = rig.code(&takes("(list (list u8))")).await.unwrap();
    let command = rig.code(r#"(module (func (export "_start")))"#).await.unwrap();
    for wrap in [list, object] {
        let nested = |levels| (0..levels).fold(Value::Null, |inner, _| wrap(inner));
        let says = refusal(&rig, &typed, "take", vec![nested(LEVELS)]).await;
        assert!(
            says.starts_with("value") && says.contains(": expected ") && says.contains(", got "),
            "{says}"
        );
        // The parameters of a command have no type that would stop at fewer levels.
        let run = FunctionName::parse("run").unwrap();
        let bind = |levels| rig.bind(&command, &run, vec![parameter("deep", nested(levels))]).map(drop);
        let reason = "nests more than 100 lists and objects".to_owned();
        assert_eq!(bind(LEVELS), Err(BindError::Parameter { path: "deep".to_owned(), reason }));
        assert_eq!(bind(100), Ok(()));
    }
}

/// The error of a call that does not fit, as `path: reason`.
async fn refusal(rig: &Rig, code: &Arc<Code>, function: &str, values: Vec<Value>) -> String {
    match rig.call(code, function, values, LIMITS).await {
        Err(BindError::Parameter { path, reason }) => format!("{path}: {reason}"),
        other => unreachable!("{function}: {other:?}"),
    }
}
