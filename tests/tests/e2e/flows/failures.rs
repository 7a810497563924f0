//! Executions that ran and failed: the RPC succeeds, and its answer says what failed.

use super::{call, put};
use crate::common::put_script;
use pilum_proto::spearlet::{
    ArtifactSpec, ExecutionContext, ExecutionStatus, FunctionParameter, InvokeFunctionRequest,
};
use pilum_tests::wire::{RawClient, guest_artifact, named, new_task, number, numbers, status, text};
use pilum_tests::{Host, Script};

/// Checks that the call fails with this code and status, and with a message that
/// contains all of `says`.
async fn check(
    client: &RawClient,
    artifact: &ArtifactSpec,
    function: &str,
    parameters: Vec<FunctionParameter>,
    expected: (&str, ExecutionStatus),
    says: &[&str],
) {
    // One task for each artifact.
    let task = format!("t{}", &artifact.checksum[7..15]);
    // Short if the call is expected to time out; otherwise the default.
    let timeout_ms = if expected.1 == ExecutionStatus::Timeout { 400 } else { 0 };
    let context = ExecutionContext { timeout_ms, ..ExecutionContext::default() };
    let request =
        InvokeFunctionRequest { context: Some(context), ..new_task(&task, artifact, function, parameters) };
    let answer = call(client, request).await;
    assert!(!answer.success, "{function}: {answer:?}");
    let result = answer.result.clone().unwrap();
    assert_eq!((result.error_code.as_str(), result.status()), expected, "{function}: {result:?}");
    for text in says {
        assert!(
            result.error_message.contains(text),
            "{function}: {text:?} not in {:?}",
            result.error_message
        );
    }
    assert!(result.result.is_none() && !result.error_message.is_empty(), "{function}: {result:?}");
    assert!(answer.message.starts_with(expected.0), "{function}: {answer:?}");
    assert_eq!((answer.status_endpoint.as_str(), answer.estimated_completion_ms), ("", 0));
    assert_eq!(result.metrics["attempt"], "1", "{function}");
    // Its status can be read like that of any execution.
    assert_eq!(status(client, &answer.execution_id).await.unwrap(), Some(result), "{function}");
}

#[tokio::test]
async fn each_trap_has_its_code_and_a_backtrace() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let traps = put(
        &host,
        "traps.wasm",
        r#"(module
             (memory 1)
             (table 1 funcref)
             (type $none (func))
             (func $inner (unreachable))
             (func $outer (export "unreachable") (call $inner))
             (func (export "memory") (drop (i32.load (i32.const 65536))))
             (func (export "table") (drop (table.get (i32.const 9))))
             (func $deep (export "recursion") (call $deep))
             (func (export "division") (drop (i32.div_u (i32.const 1) (i32.const 0))))
             (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
             (func (export "conversion") (drop (i32.trunc_f64_s (f64.const 1e300))))
             (func (export "null") (call_indirect (type $none) (i32.const 0))))"#,
    );
    for (function, code, says) in [
        ("unreachable", "TRAP_UNREACHABLE", &["0: inner", "1: outer"][..]),
        ("memory", "TRAP_OUT_OF_BOUNDS", &["out of bounds"]),
        ("table", "TRAP_OUT_OF_BOUNDS", &["out of bounds"]),
        ("recursion", "TRAP_STACK_OVERFLOW", &["deep"]),
        ("division", "TRAP_INTEGER_DIVIDE_BY_ZERO", &["divide by zero"]),
        ("overflow", "TRAP_OTHER", &["integer overflow"]),
        ("conversion", "TRAP_OTHER", &["\n  0: "]),
        ("null", "TRAP_OTHER", &["uninitialized"]),
    ] {
        check(&client, &traps, function, vec![], (code, ExecutionStatus::Failed), says).await;
    }
    let guest = guest_artifact("hostile_trap.wasm").unwrap();
    let expected = ("TRAP_UNREACHABLE", ExecutionStatus::Failed);
    let says = &["inner_step", "middle_step", "outer_step"];
    check(&client, &guest, "run", vec![], expected, says).await;
}

#[tokio::test]
async fn errors_of_the_guest_itself_are_reported() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let emails = guest_artifact("validate-email.wasm").unwrap();
    let nobody = vec![named("address", text("nobody"))];
    let expected = ("GUEST_ERROR", ExecutionStatus::Failed);
    check(&client, &emails, "validate-email", nobody, expected, &["missing-at", "position"]).await;
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let message = vec![named("message", text("on purpose\n\u{1b}[31m"))];
    check(&client, &echo, "fail", message, expected, &["on purpose"]).await;

    let expected = ("GUEST_EXIT", ExecutionStatus::Failed);
    for code in [1, 2, 42] {
        let script = put_script(&host, &format!("{code}.wasm"), &Script::exits(code));
        let says = format!("exit code {code}");
        check(&client, &script, "run", vec![], expected, &[&says]).await;
    }
    // A command checks its parameters itself, so wrong ones are the guest's failure.
    let keywords = guest_artifact("extract-keywords.command.wasm").unwrap();
    let wrong = vec![named("limit", number(1.0))];
    check(&client, &keywords, "run", wrong, expected, &["exit code 2"]).await;
}

#[tokio::test]
async fn a_guest_over_a_limit_fails() {
    let config = "[limits]\nmemory_max_bytes = 2097152\nresult_max_bytes = 1024\ntable_max_elements = 100";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let failed = |code| (code, ExecutionStatus::Failed);
    let grows = put(
        &host,
        "grows.wasm",
        r#"(module (memory 1) (table 1 funcref)
             (func (export "memory")
               (if (i32.eq (memory.grow (i32.const 32)) (i32.const -1)) (then (unreachable))))
             (func (export "table")
               (if (i32.eq (table.grow (ref.null func) (i32.const 100)) (i32.const -1))
                 (then (unreachable)))))"#,
    );
    check(&client, &grows, "memory", vec![], failed("MEMORY_LIMIT"), &["2097152 bytes"]).await;
    check(&client, &grows, "table", vec![], failed("MEMORY_LIMIT"), &["100 table elements"]).await;

    // In one write: a little over the bound, far over it, and exactly at it.
    for bytes in [1_025, 300_000] {
        let prints = put_script(&host, &format!("{bytes}.wasm"), &Script::prints(&"x".repeat(bytes)));
        check(&client, &prints, "run", vec![], failed("RESULT_TOO_LARGE"), &["1024 bytes"]).await;
    }
    let prints = put_script(&host, "fits.wasm", &Script::prints(&"x".repeat(1_024)));
    assert!(call(&client, new_task("fits", &prints, "run", vec![])).await.success);

    let timeout = ("DEADLINE_EXCEEDED", ExecutionStatus::Timeout);
    for guest in ["hostile_spin.wasm", "hostile_sleep.wasm"] {
        check(&client, &guest_artifact(guest).unwrap(), "run", vec![], timeout, &["400 ms"]).await;
    }
    let starts =
        put(&host, "starts.wasm", "(module (start $f) (func $f (loop (br 0))) (func (export \"g\")))");
    check(&client, &starts, "g", vec![], timeout, &["400 ms"]).await;
}

#[tokio::test]
async fn a_guest_without_fuel_fails() {
    let host = Host::builder().config("[limits]\nfuel = 100000").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let spins = put(&host, "spins.wasm", "(module (func (export \"f\") (loop (br 0))))");
    let expected = ("FUEL_EXHAUSTED", ExecutionStatus::Failed);
    check(&client, &spins, "f", vec![], expected, &["fuel"]).await;
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let answer = call(&client, new_task("adder", &adder, "add", numbers(&[1.0, 2.0]))).await;
    assert!(answer.success, "{answer:?}");
}
