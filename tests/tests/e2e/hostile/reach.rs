//! Guests have no access to files, the network, or the data of other calls.

use super::check_unharmed;
use pilum_tests::{Functions, Host, result_of, wasm};
use pilum_types::Output;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;

#[tokio::test]
async fn only_the_callers_variables_are_in_the_environment() {
    let host = Host::builder().env("HOST_SECRET", "hush").start().await.unwrap();
    let echo = Functions::of_guest(&host, "values-echo.wasm").await.unwrap();
    let seen = async |name: &str| {
        let call = echo.call("env", json!([name])).unwrap();
        let call = call.environment([("GREETING".to_owned(), "grüße".to_owned())]);
        result_of(&echo.client().invoke(call).await.unwrap()).unwrap()
    };
    for name in ["HOST_SECRET", "PATH", "HOME", "PWD", "USER", "HOSTNAME", ""] {
        assert_eq!(seen(name).await, Json::Null, "{name}");
    }
    assert_eq!(seen("GREETING").await, "grüße");
    // The next call has its own environment.
    assert_eq!(echo.result("env", json!(["GREETING"])).await.unwrap(), Json::Null);
    check_unharmed(&host).await;
}

#[tokio::test]
async fn a_guest_has_no_files() {
    let host = Host::start().await.unwrap();
    let echo = Functions::of_guest(&host, "values-echo.wasm").await.unwrap();
    for path in ["/", ".", "", "..", "/etc", "/proc/self", "/../..", "/dev", "C:\\", "\0"] {
        let (code, message) = echo.failure("list-dir", json!([path])).await.unwrap();
        assert_eq!(code, "GUEST_ERROR", "{path:?}: {message}");
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn a_guest_has_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::start().await.unwrap();
    let echo = Functions::of_guest(&host, "values-echo.wasm").await.unwrap();
    for address in ["127.0.0.1", "0.0.0.0", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let (code, message) = echo.failure("connect", json!([format!("{address}:{port}")])).await.unwrap();
        assert_eq!(code, "GUEST_ERROR", "{address}: {message}");
        assert!(message.contains("access-denied"), "{address}: {message}");
    }
    // The kernel accepts connections by itself, so a connection would be here now.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    check_unharmed(&host).await;
}

/// A command that writes all its arguments and then all its variables, each followed by
/// a zero byte.
const WRITES_ARGUMENTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $tell
        (i32.store (i32.const 0) (i32.const 4096))
        (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
    (func (export "_start")
        (drop (call $sizes (i32.const 16) (i32.const 4)))
        (drop (call $args (i32.const 64) (i32.const 4096)))
        (call $tell)
        (drop (call $env_sizes (i32.const 16) (i32.const 4)))
        (drop (call $env (i32.const 64) (i32.const 4096)))
        (call $tell)))"#;

#[tokio::test]
async fn a_command_gets_the_task_and_the_function_as_arguments() {
    let host = Host::builder().env("HOST_SECRET", "hush").start().await.unwrap();
    let writes = Functions::of_bytes(&host, "the-task", &wasm(WRITES_ARGUMENTS).unwrap()).await.unwrap();
    let plain = writes.invoke("the-function", json!({})).await.unwrap();
    assert_eq!(plain.status.output, Some(Output::Raw(b"the-task\0the-function\0".to_vec())));
    let variables = [("A", "1"), ("B", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let call = writes.call("f", json!({})).unwrap().environment(variables);
    let output = writes.client().invoke(call).await.unwrap().status.output;
    assert_eq!(output, Some(Output::Raw(b"the-task\0f\0A=1\0B=\0".to_vec())));
    check_unharmed(&host).await;
}

#[tokio::test]
async fn every_call_has_a_new_instance() {
    let host = Host::start().await.unwrap();
    let echo = Functions::of_guest(&host, "values-echo.wasm").await.unwrap();
    let mut instances = BTreeSet::new();
    for _ in 0..20 {
        let called = echo.invoke("counter", json!(null)).await.unwrap();
        assert_eq!(result_of(&called).unwrap(), 1);
        assert_eq!(called.status.metrics["instance_calls"], "1");
        instances.insert(called.instance_id.unwrap());
    }
    assert_eq!(instances.len(), 20);
}

/// A module: `taint` fills memory, table and a global; `scan` counts what differs from a
/// new instance, in its first memory and in what it grows to.
fn residue(number: u32) -> String {
    format!(
        r#"(module
            (memory 16 64)
            (table $table 64 funcref)
            (global $global (mut i64) (i64.const 0))
            (global $number i32 (i32.const {number}))
            (elem declare func $self)
            (func $self)
            (func (export "taint")
                (drop (memory.grow (i32.const 48)))
                (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 4194304))
                (table.fill $table (i32.const 0) (ref.func $self) (i32.const 64))
                (global.set $global (i64.const -1)))
            (func (export "scan") (result i32) (local $found i32) (local $at i32)
                (drop (memory.grow (i32.const 48)))
                (local.set $found (i64.ne (global.get $global) (i64.const 0)))
                (loop $words
                    (local.set $found
                        (i32.add (local.get $found) (i64.ne (i64.load (local.get $at)) (i64.const 0))))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $words (i32.lt_u (local.get $at) (i32.const 4194304))))
                (local.set $at (i32.const 0))
                (loop $entries
                    (local.set $found (i32.add (local.get $found)
                        (i32.eqz (ref.is_null (table.get $table (local.get $at))))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if $entries (i32.lt_u (local.get $at) (i32.const 64))))
                (local.get $found)))"#
    )
}

#[tokio::test]
async fn an_instance_has_nothing_of_an_earlier_call() {
    // With one slot each call gets the memory of the call before.
    let host = Host::builder().config("[engine]\ninstance_slots = 1").start().await.unwrap();
    let one = Functions::of_bytes(&host, "one", &wasm(&residue(1)).unwrap()).await.unwrap();
    let other = Functions::of_bytes(&host, "other", &wasm(&residue(2)).unwrap()).await.unwrap();
    for _ in 0..50 {
        for (taints, scans) in [(&one, &one), (&one, &other), (&other, &one)] {
            taints.result("taint", json!(null)).await.unwrap();
            assert_eq!(scans.result("scan", json!(null)).await.unwrap(), 0);
        }
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn each_call_has_other_random_numbers() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "draw") (result i64)
            (drop (call $random (i32.const 0) (i32.const 8)))
            (i64.load (i32.const 0))))"#;
    let host = Host::start().await.unwrap();
    let random = Functions::of_bytes(&host, "random", &wasm(text).unwrap()).await.unwrap();
    let mut drawn = BTreeSet::new();
    for _ in 0..50 {
        drawn.insert(random.result("draw", json!(null)).await.unwrap().to_string());
    }
    assert_eq!(drawn.len(), 50);
}
