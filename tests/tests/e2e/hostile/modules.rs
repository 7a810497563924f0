//! Hostile modules and components in text form, which no compiler would produce.

use super::{check_memory, check_stopped, check_unharmed, resident_at_rest, stopped};
use pilum_client::Code;
use pilum_tests::{Functions, Host, wasm};
use pilum_types::State;
use serde_json::json;
use std::time::Duration;

async fn functions(host: &Host, name: &str, text: &str) -> Functions {
    Functions::of_bytes(host, name, &wasm(text).unwrap()).await.unwrap()
}

#[tokio::test]
async fn loops_before_the_function_begins_are_stopped() {
    let host = Host::start().await.unwrap();
    let spin = "(func $spin (loop $again (br $again)))";
    let component = |module: &str| {
        format!(
            r#"(component (core module $m {module}) (core instance $i (instantiate $m))
                (func (export "run") (canon lift (core func $i "run"))))"#
        )
    };
    let started = format!(r#"{spin} (start $spin) (func (export "run"))"#);
    let initialised = format!(r#"{spin} (export "_initialize" (func $spin)) (func (export "run"))"#);
    let slow = r#"(memory 1000) (func (export "run"))
        (func $f (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536000)) (br $again)))
        (start $f)"#;
    for (name, text) in [
        ("start", format!("(module {started})")),
        ("initialize", format!("(module {initialised})")),
        ("fill", format!("(module {slow})")),
        ("command", format!(r#"(module {spin} (start $spin) (func (export "_start")))"#)),
        ("component", component(&started)),
    ] {
        let guest = functions(&host, name, &text).await;
        for _ in 0..3 {
            check_stopped(&guest, 50, State::Timeout, "DEADLINE_EXCEEDED").await;
        }
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn growth_is_refused_at_the_limits() {
    const CAP: u64 = 32 << 20;
    let config = format!("[limits]\nmemory_max_bytes = {CAP}\ntable_max_elements = 10000");
    let host = Host::builder().config(&config).start().await.unwrap();
    let at_rest = resident_at_rest(&host).await;
    let until_refused = |grow: &str| {
        format!(
            r#"(func (export "run")
                (loop $more (br_if $more (i32.ne (i32.const -1) {grow})))
                unreachable)"#
        )
    };
    let memory = until_refused("(memory.grow (i32.const 1))");
    let touched = r#"(func (export "run") (local $at i32)
        (loop $more
            (local.set $at (memory.grow (i32.const 16)))
            (if (i32.eq (local.get $at) (i32.const -1)) (then unreachable))
            (memory.fill (i32.shl (local.get $at) (i32.const 16)) (i32.const 165) (i32.const 1048576))
            (br $more)))"#;
    let table = |table: &str| until_refused(&format!("(table.grow {table} (ref.null func) (i32.const 100))"));
    for (name, text) in [
        ("memory", format!("(module (memory 1) {memory})")),
        (
            "memory-at-once",
            format!("(module (memory 1) {})", until_refused("(memory.grow (i32.const 65535))")),
        ),
        ("memory-touched", format!("(module (memory 0) {touched})")),
        ("table", format!("(module (table $t 0 funcref) {})", table("$t"))),
        // Each is small, but all together exceed the limit.
        ("tables", format!("(module (table 9000 funcref) (table $t 900 funcref) {})", table("$t"))),
    ] {
        let guest = functions(&host, name, &text).await;
        for _ in 0..5 {
            check_stopped(&guest, 20_000, State::Failed, "MEMORY_LIMIT").await;
        }
    }
    check_memory(&host, at_rest, CAP);
    // Code that is too large from the start is refused before there is an execution.
    for (name, too_large) in [
        ("vast-memory", r#"(module (memory 1024) (func (export "run")))"#),
        ("vast-table", r#"(module (table 1000000 funcref) (func (export "run")))"#),
    ] {
        let refused = functions(&host, name, too_large).await.refused("run", json!(null)).await.unwrap();
        assert_eq!(refused.code, Code::FailedPrecondition, "{refused}");
    }
    check_unharmed(&host).await;
}

/// Calls of WASI with wrong pointers and lengths may end the guest, but must not harm
/// the host.
#[tokio::test]
async fn wrong_pointers_in_calls_of_wasi_end_the_guest() {
    let host = Host::start().await.unwrap();
    for (name, function, parameters, call) in [
        ("args", "args_get", "i32 i32", "(i32.const -1) (i32.const -1)"),
        ("write", "fd_write", "i32 i32 i32 i32", "(i32.const 1) (i32.const -16) (i32.const 2) (i32.const 0)"),
        ("iovec", "fd_write", "i32 i32 i32 i32", "(i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)"),
        (
            "iovecs",
            "fd_write",
            "i32 i32 i32 i32",
            "(i32.const 2) (i32.const 0) (i32.const -1) (i32.const 64)",
        ),
        ("read", "fd_read", "i32 i32 i32 i32", "(i32.const 0) (i32.const 0) (i32.const 1) (i32.const -4)"),
        ("random", "random_get", "i32 i32", "(i32.const 0) (i32.const -1)"),
        (
            "poll",
            "poll_oneoff",
            "i32 i32 i32 i32",
            "(i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0)",
        ),
        ("descriptor", "fd_close", "i32", "(i32.const -1)"),
        (
            "path",
            "path_open",
            "i32 i32 i32 i32 i32 i64 i64 i32 i32",
            "(i32.const 3) (i32.const 0) (i32.const -9) (i32.const 99) (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const -1)",
        ),
    ] {
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "{function}" (func $lie (param {parameters}) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\f0\ff\ff\ff\ff\ff\ff\ff")
                (func (export "_start") (if (call $lie {call}) (then unreachable))))"#
        );
        let ended = functions(&host, name, &text).await.invoke("run", json!({})).await.unwrap();
        let code = ended.status.error_code.unwrap_or_default();
        assert!(code.starts_with("TRAP_"), "{name}: {code} {}", ended.status.error_message);
    }
    check_unharmed(&host).await;
}

/// Components return values that their type does not allow.
#[tokio::test]
async fn malformed_results_of_components_fail() {
    let host = Host::start().await.unwrap();
    let lifted = |body: &str, result: &str, options: &str| {
        format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const -64))
                    (data (i32.const 0) "\00\00\01\00\10\00\00\00\00\80\00\00\02\00\00\00")
                    (data (i32.const 32768) "\ff\fe")
                    {body})
                (core instance $i (instantiate $m))
                (func (export "run") {result} (canon lift (core func $i "run") {options})))"#
        )
    };
    let returns = |value: &str| format!(r#"(func (export "run") (result i32) {value})"#);
    let memory = r#"(memory (core memory $i "memory"))"#;
    for (name, text) in [
        ("beyond", lifted(&returns("(i32.const 0)"), "(result string)", memory)),
        ("not-utf-8", lifted(&returns("(i32.const 8)"), "(result string)", memory)),
        ("nowhere", lifted(&returns("(i32.const -8)"), "(result string)", memory)),
        ("unaligned", lifted(&returns("(i32.const 3)"), "(result string)", memory)),
        ("no-char", lifted(&returns("(i32.const 0xd800)"), "(result char)", "")),
    ] {
        let ended = functions(&host, name, &text).await.invoke("run", json!(null)).await.unwrap();
        let code = ended.status.error_code.unwrap_or_default();
        assert_eq!(code, "TRAP_OTHER", "{name}: {}", ended.status.error_message);
    }
    let body = r#"(func (export "run") (param i32 i32))"#;
    let options = format!(r#"{memory} (realloc (core func $i "realloc"))"#);
    let takes = functions(&host, "realloc", &lifted(body, r#"(param "text" string)"#, &options)).await;
    let ended = takes.invoke("run", json!(["x".repeat(1000)])).await.unwrap();
    assert_eq!(ended.status.error_code.as_deref(), Some("TRAP_OTHER"), "{}", ended.status.error_message);
    check_unharmed(&host).await;
}

/// Empty lines, and bytes that become longer when they are escaped, take no more of the
/// host's memory than other text.
#[tokio::test]
async fn logs_are_bounded_by_their_size_in_memory() {
    let host = Host::start().await.unwrap();
    let at_rest = resident_at_rest(&host).await;
    for (name, byte) in [("newlines", 10), ("escapes", 27), ("invalid", 255)] {
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 2)
                (func (export "_start")
                    (memory.fill (i32.const 1024) (i32.const {byte}) (i32.const 65536))
                    (i32.store (i32.const 0) (i32.const 1024))
                    (i32.store (i32.const 4) (i32.const 65536))
                    (loop $more
                        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                        (br $more))))"#
        );
        let flood = functions(&host, name, &text).await;
        let ended = stopped(&flood, "run", Duration::from_millis(300)).await;
        let report = flood.client().status(&ended.execution_id, false, true).await.unwrap().unwrap();
        let kept: usize = report.logs.iter().map(String::len).sum();
        assert!(kept <= 2 << 20, "{name}: {kept} bytes in {} lines", report.logs.len());
        assert!(report.logs.last().unwrap().starts_with("host: the log is cut here"), "{name}");
    }
    check_memory(&host, at_rest, 0);
    check_unharmed(&host).await;
}
