//! `pilum bench` of a file and of a task, and its refusals.

use super::{Here, check_ended, path, pilum};
use pilum_tests::Host;
use serde_json::Value as Json;

/// The ways in which a file is called.
const WAYS: [&str; 3] = ["wasmtime alone", "in process", "over gRPC"];

#[tokio::test]
async fn a_file_is_measured_in_three_ways() {
    let here = Here::new();
    let file = path("calculate-fibonacci.wasm");
    let arguments = ["bench", &file, "calculate-fibonacci", "n=10", "--seconds", "1"];
    let ran = here.run(&arguments).await;
    check_ended(&ran, 0, "queue wait", "");
    for way in WAYS {
        assert!(ran.stdout.lines().any(|line| line.starts_with(way)), "{way}: {ran:?}");
    }

    let ran = here.run(&[&arguments[..], &["--json", "--in-flight", "4"]].concat()).await;
    check_ended(&ran, 0, "", "");
    let printed: Json = serde_json::from_str(&ran.stdout).unwrap();
    let ways = printed["ways"].as_array().unwrap();
    assert_eq!(ways.iter().map(|way| way["way"].as_str().unwrap()).collect::<Vec<_>>(), WAYS);
    for way in ways {
        let figure = |name: &str| way[name].as_f64().unwrap();
        assert!(figure("calls") > 0.0 && figure("p50_us") <= figure("p99_us"), "{way}");
        if way["way"] == WAYS[0] {
            assert!(way.get("guest_us").is_none(), "wasmtime alone has no metrics: {way}");
        } else {
            let parts = ["queue_wait_us", "acquire_us", "guest_us", "rest_us"].map(figure);
            assert!(parts.iter().all(|us| *us >= 0.0) && parts[1] > 0.0, "{way}");
        }
    }
}

#[tokio::test]
async fn a_task_is_measured_on_its_host() {
    let host = Host::start().await.unwrap();
    let server = ["--server", &host.grpc];
    let location = format!("file://{}", path("calculate-fibonacci.core.wasm"));
    let register = ["invoke", &location, "add", "a=2", "b=3", "--task-name", "calc"];
    check_ended(&pilum(register.iter().chain(&server)).await, 0, "5", "");
    let bench = ["bench", "calc", "add", "a=2", "b=3", "--seconds", "1", "--in-flight", "8"];
    let ran = pilum(bench.iter().chain(&server)).await;
    check_ended(&ran, 0, "over gRPC", "");
    assert!(!ran.stdout.contains("wasmtime alone"), "{ran:?}");
    check_ended(
        &pilum(["bench", "nobody", "add"].iter().chain(&server)).await,
        2,
        "",
        "there is no task nobody",
    );
}

#[tokio::test]
async fn a_call_that_fails_is_not_measured() {
    let here = Here::new();
    let file = |name| path(name);
    here.check_bad(&["bench", &file("hostile_trap.wasm"), "x"], 1, "TRAP_UNREACHABLE").await;
    here.check_bad(&["bench", &file("calculate-fibonacci.wasm"), "nope"], 2, "no function nope").await;
    here.check_bad(&["bench", "./nosuch.wasm", "x"], 2, "nosuch.wasm").await;
    here.check_bad(&["bench", "file:///x.wasm", "x"], 2, "is a location").await;
    here.check_bad(&["bench", &file("calculate-fibonacci.wasm"), "x", "--seconds", "0"], 2, "--seconds")
        .await;
}
