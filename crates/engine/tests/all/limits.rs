//! Every limit stops its guest, gives the failure the code of the limit, and leaves the
//! engine as it was.

use crate::rig::{LIMITS, Rig, ended};
use pilum_types::{CallLimits, FailureCode, Value};
use std::time::{Duration, Instant};

const SHORT: CallLimits = CallLimits { timeout: Duration::from_millis(100), ..LIMITS };

#[track_caller]
fn check_begins(ended: &str, begins: &str) {
    assert!(ended.starts_with(begins), "{ended}");
}

#[tokio::test]
async fn endless_loops_end_at_their_deadline_wherever_they_are() {
    let rig = Rig::new();
    for wat in [
        r#"(module (func (export "f") (loop br 0)))"#,
        r#"(module (func $s (loop br 0)) (start $s) (func (export "f")))"#,
        r#"(module (func (export "_initialize") (loop br 0)) (func (export "f")))"#,
    ] {
        let began = Instant::now();
        let ended = rig.ends(wat, "f", vec![], SHORT).await;
        assert_eq!(ended, "DEADLINE_EXCEEDED: the call did not end within its timeout of 100 ms");
        assert!(began.elapsed() >= SHORT.timeout);
    }
    assert_eq!(
        rig.ends(r#"(module (func (export "f") (result i32) i32.const 1))"#, "f", vec![], LIMITS).await,
        "value Signed(1)"
    );
}

#[tokio::test]
async fn a_dropped_call_gives_its_slot_back() {
    let rig = Rig::new();
    let code = rig.code(r#"(module (func (export "f") (loop br 0)))"#).await.unwrap();
    // There are four calls for each slot, so a leaked slot would block later calls.
    for _ in 0..64 {
        let call = rig.call(&code, "f", vec![], LIMITS);
        assert!(tokio::time::timeout(Duration::from_millis(3), call).await.is_err());
    }
    let fine = rig.ends(r#"(module (func (export "f")))"#, "f", vec![], SHORT).await;
    assert_eq!(fine, "value Null");
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_with_its_own_code() {
    let rig = Rig::new();
    let grow = |pages: u32| {
        format!(r#"(module (memory 1) (func (export "f") (result i32) (memory.grow (i32.const {pages}))))"#)
    };
    assert_eq!(rig.ends(&grow(63), "f", vec![], LIMITS).await, "value Signed(1)");
    // A guest that does not need the memory goes on.
    assert_eq!(rig.ends(&grow(64), "f", vec![], LIMITS).await, "value Signed(-1)");
    // A guest that needs the memory fails because of the limit.
    let gives_up = r#"(module (memory 1) (func (export "f")
        (if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))))"#;
    check_begins(
        &rig.ends(gives_up, "f", vec![], LIMITS).await,
        "MEMORY_LIMIT: the guest needed more than its 4194304 bytes of memory",
    );
    let born_too_large = r#"(module (memory 65) (func (export "f")))"#;
    check_begins(&rig.ends(born_too_large, "f", vec![], LIMITS).await, "MEMORY_LIMIT: ");
    let table = r#"(module (table 1 funcref) (func (export "f")
        (if (i32.eq (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))))"#;
    check_begins(&rig.ends(table, "f", vec![], LIMITS).await, "MEMORY_LIMIT: ");
}

#[tokio::test]
async fn what_a_call_used_is_reported() {
    let rig = Rig::new();
    let code = rig.code(r#"(module (memory 2) (func (export "f") (drop (memory.grow (i32.const 3)))))"#);
    let outcome = rig.call(&code.await.unwrap(), "f", vec![], LIMITS).await.unwrap();
    assert_eq!(outcome.usage.peak_memory_bytes, 5 << 16);
    assert_eq!(outcome.usage.instance_calls, 1);
    assert_eq!(outcome.usage.fuel_consumed, None);
    assert!(outcome.usage.guest > Duration::ZERO && outcome.usage.acquire > Duration::ZERO);
}

#[tokio::test]
async fn traps_have_their_codes_and_a_backtrace_with_names() {
    let rig = Rig::new();
    for (body, begins) in [
        (
            "unreachable",
            "TRAP_UNREACHABLE: wasm trap: wasm `unreachable` instruction executed\n  0: inner\n  1: outer",
        ),
        ("(drop (i32.load (i32.const 65536)))", "TRAP_OUT_OF_BOUNDS: wasm trap: out of bounds memory access"),
        (
            "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
            "TRAP_INTEGER_DIVIDE_BY_ZERO: wasm trap: integer divide by zero",
        ),
        ("(call_indirect (i32.const 0))", "TRAP_OTHER: wasm trap: uninitialized element"),
        ("(call_indirect (i32.const 9))", "TRAP_OUT_OF_BOUNDS: wasm trap: undefined element"),
        ("call $outer", "TRAP_STACK_OVERFLOW: wasm trap: call stack exhausted"),
    ] {
        let wat = format!(
            r#"(module (memory 1) (table 1 funcref) (func $inner {body}) (func $outer (export "f") call $inner))"#
        );
        check_begins(&rig.ends(&wat, "f", vec![], LIMITS).await, begins);
    }
}

#[tokio::test]
async fn repeated_deep_recursion_does_no_harm() {
    let rig = Rig::new();
    let code = rig.code(r#"(module (func $f (export "f") call $f))"#).await.unwrap();
    for _ in 0..1_000 {
        let outcome = rig.call(&code, "f", vec![], LIMITS).await.unwrap();
        assert_eq!(outcome.result.unwrap_err().code, FailureCode::TrapStackOverflow);
    }
}

#[tokio::test]
async fn metered_calls_end_when_their_fuel_is_used_up() {
    let rig = Rig::with(true);
    let limits = CallLimits { fuel: Some(1_000), ..LIMITS };
    let wat = r#"(module (func (export "f") (param i32) (loop
        (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))))"#;
    let code = rig.code(wat).await.unwrap();
    let little = rig.call(&code, "f", vec![Value::Signed(10)], limits).await.unwrap();
    let more = rig.call(&code, "f", vec![Value::Signed(20)], limits).await.unwrap();
    assert_eq!(ended(&little), "value Null");
    assert!(more.usage.fuel_consumed > little.usage.fuel_consumed);
    let most = rig.call(&code, "f", vec![Value::Signed(1_000_000)], limits).await.unwrap();
    assert_eq!(most.result.as_ref().unwrap_err().code, FailureCode::FuelExhausted);
    assert_eq!(most.usage.fuel_consumed, Some(1_000));
}

#[tokio::test]
async fn instances_are_fresh() {
    let rig = Rig::new();
    let wat = r#"(module (global $g (mut i32) (i32.const 0)) (memory 1)
        (func (export "f") (result i32)
          (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1)))
          (global.set $g (i32.add (global.get $g) (i32.const 1)))
          (i32.add (i32.load (i32.const 4)) (global.get $g))))"#;
    let code = rig.code(wat).await.unwrap();
    for _ in 0..50 {
        let outcome = rig.call(&code, "f", vec![], LIMITS).await.unwrap();
        assert_eq!(ended(&outcome), "value Signed(2)");
    }
}

#[tokio::test]
async fn more_calls_than_slots_wait_and_all_complete() {
    let rig = Rig::new();
    let code = rig.code(r#"(module (memory 1) (func (export "f") (result i32) i32.const 7))"#).await.unwrap();
    let calls = (0..200).map(|_| rig.call(&code, "f", vec![], LIMITS));
    for outcome in futures::future::join_all(calls).await {
        assert_eq!(ended(&outcome.unwrap()), "value Signed(7)");
    }
}

#[tokio::test]
async fn descriptions_that_would_fill_the_memory_are_refused() {
    // A few kilobytes of WebAssembly describe an enum of 500 cases in a record of 200
    // fields in a tuple of 5. The description has half a million names.
    let cases: String = (0..500).map(|i| format!(" \"c{i}\"")).collect();
    let fields: String = (0..200).map(|i| format!(" (field \"f{i}\" $e)")).collect();
    let items = " $r".repeat(5);
    let wat = format!(
        r#"(component
           (type $e' (enum{cases})) (export $e "e" (type $e'))
           (type $r' (record{fields})) (export $r "r" (type $r'))
           (core module $m (func (export "f") (param i32)) (memory (export "m") 1)
             (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
           (core instance $i (instantiate $m))
           (func $f (param "p" (tuple{items}))
             (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))
           (export "f" (func $f)))"#
    );
    let error = Rig::new().code(&wat).await.unwrap_err().to_string();
    assert!(error.ends_with("its functions' names and types take more than 4 MiB"), "{error}");
}

#[tokio::test]
async fn hostile_names_do_not_forge_or_fill_a_backtrace() {
    let name = format!("inner\\n  0: forged{}", "x".repeat(90_000));
    let wat = format!(r#"(module (func $i (@name "{name}") unreachable) (func (export "f") call $i))"#);
    let ended = Rig::new().ends(&wat, "f", vec![], LIMITS).await;
    assert!(ended.len() < 1_000, "{}", ended.len());
    assert!(ended.contains("0: inner\\n  0: forgedxxx"), "{ended}");
}

#[tokio::test]
async fn a_typed_function_that_exits_has_not_returned() {
    let wat = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "f") (result i32) (call $exit (i32.const 0)) (i32.const 5)))"#;
    let ended = Rig::new().ends(wat, "f", vec![], LIMITS).await;
    assert_eq!(ended, "GUEST_EXIT: the function ended with exit code 0 instead of returning a result");
}
