//! Watching an execution, and waiting for its status.

use super::{json_at, script, submit};
use pilum_client::{Code, Update};
use pilum_tests::{Functions, Host, Pilum, Script};
use pilum_types::{ExecutionId, State};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// A command that writes a line, waits 1.5 s, and writes another line.
const SPEAKS: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\01")
    (data (i32.const 256) "\00\04\00\00\06\00\00\00")
    (data (i32.const 1024) "spoke\n")
    (func (export "_start")
        (drop (call $write (i32.const 2) (i32.const 256) (i32.const 1) (i32.const 264)))
        (i64.store (i32.const 24) (i64.const 1500000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
        (drop (call $write (i32.const 2) (i32.const 256) (i32.const 1) (i32.const 264)))))"#;

#[tokio::test]
async fn a_watch_reports_every_state_and_each_line_when_it_is_written() {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let blocker = script(&host, "blocks", &Script::sleeps(Duration::from_millis(700))).await;
    let speaks = Functions::of_bytes(&host, "speaks", &pilum_tests::wasm(SPEAKS).unwrap()).await.unwrap();
    submit(&blocker, blocker.call("run", json!(null)).unwrap()).await;
    let id = submit(&speaks, speaks.call("run", json!(null)).unwrap()).await;
    let mut watch = speaks.client().watch(&id, true).await.unwrap();
    let (mut states, mut lines) = (Vec::new(), Vec::new());
    while let Some(news) = watch.next().await.unwrap() {
        match news {
            Update::Status(report) => {
                states.push(report.status.state);
                if report.status.state == State::Pending {
                    assert_eq!(report.queue_position, Some(1));
                }
            }
            Update::Line(line) => {
                assert_eq!(line, "stderr: spoke");
                lines.push(Instant::now());
            }
            Update::Missed(missed) => panic!("the watch missed {missed} updates"),
        }
    }
    assert_eq!(states, [State::Pending, State::Running, State::Completed]);
    let [first, second] = lines[..] else { panic!("{} lines", lines.len()) };
    assert!(second - first >= Duration::from_secs(1), "the first line came while the guest waited");
    let unknown = speaks.client().watch(&ExecutionId::parse("none").unwrap(), true).await.unwrap_err();
    assert_eq!(unknown.code(), Some(Code::NotFound));
}

#[tokio::test]
async fn the_command_line_watches_an_execution() {
    let host = Host::start().await.unwrap();
    let speaks = Functions::of_bytes(&host, "speaks", &pilum_tests::wasm(SPEAKS).unwrap()).await.unwrap();
    let fails = script(&host, "fails", &Script::exits(3)).await;
    let good = submit(&speaks, speaks.call("run", json!(null)).unwrap()).await;
    let bad = submit(&fails, fails.call("run", json!(null)).unwrap().retries(1)).await;
    let watch = async |id: &str, flags: &[&str]| {
        let arguments = [&["watch", id, "--server", &host.grpc], flags].concat();
        Pilum::new(arguments).unwrap().run().await.unwrap()
    };
    let ran = watch(good.as_str(), &["--logs"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("stderr: spoke") && ran.stderr.contains("COMPLETED after "), "{ran:?}");
    let ran = watch(bad.as_str(), &["--json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let last: Json = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["status"], &last["attempts"][1]["error_code"]),
        (&json!("FAILED"), &json!("GUEST_EXIT"))
    );
    assert_eq!(watch("none", &[]).await.code, Some(2));
}

#[tokio::test]
async fn a_request_for_a_status_can_wait_for_the_end() {
    let host = Host::start().await.unwrap();
    let sleeps = script(&host, "sleeps", &Script::sleeps(Duration::from_secs(1))).await;
    let id = submit(&sleeps, sleeps.call("run", json!(null)).unwrap()).await;
    let began = Instant::now();
    let (_, early) = json_at(&host, &format!("/status/{id}?wait=100ms")).await;
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    assert!(["PENDING", "RUNNING"].contains(&early["status"].as_str().unwrap()), "{early}");
    let (status, end) = json_at(&host, &format!("/api/v1/execution/{id}/status?wait=30s")).await;
    assert_eq!((status, &end["status"]), (200, &json!("COMPLETED")));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "the answer comes when the execution ends: {:?}",
        began.elapsed()
    );
    for (query, says) in [("wait=61s", "at most 60s"), ("wait=soon", "wait"), ("patience=1", "patience")] {
        let (status, error) = json_at(&host, &format!("/status/{id}?{query}")).await;
        assert_eq!(status, 400, "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains(says), "{error}");
    }
    assert_eq!(json_at(&host, "/status/none?wait=30s").await.0, 404);
}
