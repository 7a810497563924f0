//! Following an execution from the first answer to its end, over gRPC and HTTP.

use super::submit;
use crate::common::{put_script, sleeper};
use pilum_proto::spearlet::{ExecutionStatus, GetExecutionStatusRequest};
use pilum_tests::wire::{
    RawClient, ended, guest_artifact, named, new_task, numbers, returned, status, text, until_status, with_id,
};
use pilum_tests::{Host, Script, get};
use pilum_types::{Output, Value};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

async fn json_of(host: &Host, path: &str) -> Json {
    let (status, body) = get(&host.http, path).await.unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

async fn read(client: &RawClient, id: &str, include_result: bool, include_logs: bool) -> (bool, Vec<String>) {
    let request = GetExecutionStatusRequest { execution_id: id.into(), include_result, include_logs };
    let answer = client.clone().get_execution_status(request).await.unwrap().into_inner();
    assert!(answer.found, "{id}");
    (answer.result.unwrap().result.is_some(), answer.logs)
}

#[tokio::test]
async fn a_submission_is_answered_at_once() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for request in [sleeper("sleep"), with_id("mine", sleeper("sleep"))] {
        let given = request.execution_id.clone();
        // The guest sleeps for an hour, so this answer came before the execution ended.
        let answer = submit(&client, request).await;
        let id = answer.execution_id.clone();
        assert!(given.is_none_or(|given| given == id));
        assert!(answer.success && answer.instance_id.is_empty(), "{answer:?}");
        assert_eq!(answer.status_endpoint, format!("/api/v1/execution/{id}/status"));
        assert!(answer.estimated_completion_ms >= 1, "{answer:?}");
        let result = answer.result.unwrap();
        assert_eq!(result.status(), ExecutionStatus::Pending);
        assert_eq!((result.result, result.metrics.len(), result.started_at), (None, 0, None));

        let running = until_status(&client, &id, ExecutionStatus::Running).await.unwrap();
        assert!(running.started_at.is_some() && running.completed_at.is_none(), "{running:?}");
        assert_eq!(json_of(&host, &answer.status_endpoint).await["status"], "RUNNING");
    }
}

#[tokio::test]
async fn a_finished_execution_has_its_result_over_grpc_and_http() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let fibonacci = guest_artifact("calculate-fibonacci.wasm").unwrap();
    let f = "calculate-fibonacci";
    let answer = submit(&client, with_id("mine", new_task(f, &fibonacci, f, numbers(&[93.0])))).await;
    let result = ended(&client, "mine").await.unwrap();
    assert_eq!(result.status(), ExecutionStatus::Completed);
    let large = "12200160415121876738";
    assert_eq!(returned(&result).unwrap(), Output::Typed(Value::String(large.into())));
    assert_eq!((result.metrics["attempt"].as_str(), result.metrics["instance_calls"].as_str()), ("1", "1"));
    let (started, completed) = (result.started_at.unwrap(), result.completed_at.unwrap());
    assert!((started.seconds, started.nanos) <= (completed.seconds, completed.nanos), "{result:?}");

    let by_endpoint = json_of(&host, &answer.status_endpoint).await;
    assert_eq!(by_endpoint, json_of(&host, "/status/mine").await, "both paths have the same answer");
    for (key, expected) in [
        ("execution_id", json!("mine")),
        ("task_id", json!(answer.task_id)),
        ("function_name", json!(f)),
        ("mode", json!("ASYNC")),
        ("status", json!("COMPLETED")),
        ("result", json!(large)),
        ("result_encoding", json!("json")),
        ("error_code", Json::Null),
        ("error_message", Json::Null),
        ("memory_used_bytes", json!(result.memory_used_bytes)),
        ("execution_time_ms", json!(result.execution_time_ms)),
        ("metrics", json!(result.metrics)),
    ] {
        assert_eq!(by_endpoint[key], expected, "{key}");
    }
    assert!(by_endpoint["instance_id"].as_str().unwrap().starts_with("inst-"), "{by_endpoint}");
    let at = |key: &str| by_endpoint[key].as_str().unwrap().to_owned();
    assert!(at("accepted_at") <= at("started_at") && at("started_at") <= at("completed_at"), "{by_endpoint}");
    assert_eq!(by_endpoint["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failure_is_shown_as_json() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let emails = guest_artifact("validate-email.wasm").unwrap();
    let nobody = vec![named("address", text("nobody"))];
    let request = new_task("emails", &emails, "validate-email", nobody);
    // The guest returns an error, in each attempt the same.
    let answer = submit(&client, with_id("mine", request)).await;
    let result = ended(&client, "mine").await.unwrap();
    assert_eq!((result.status(), result.error_code.as_str()), (ExecutionStatus::Failed, "GUEST_ERROR"));
    let shown = json_of(&host, &answer.status_endpoint).await;
    assert_eq!((&shown["status"], &shown["error_code"]), (&json!("FAILED"), &json!("GUEST_ERROR")));
    assert_eq!(shown["error_message"], json!(result.error_message));
    assert_eq!((&shown["result"], &shown["result_encoding"]), (&Json::Null, &Json::Null));
}

#[tokio::test]
async fn output_and_logs_are_read_on_request() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let script = Script {
        stdout: "the result\n".into(),
        stderr: "one\ntwo \x1b[31m\rforged\n".into(),
        ..Script::default()
    };
    let script = put_script(&host, "script.wasm", &script);
    let answer = submit(&client, with_id("mine", new_task("logs", &script, "run", vec![]))).await;
    let result = ended(&client, "mine").await.unwrap();
    assert_eq!(returned(&result).unwrap(), Output::Raw(b"the result\n".to_vec()));
    let shown = json_of(&host, &answer.status_endpoint).await;
    assert_eq!((&shown["result"], &shown["result_encoding"]), (&json!("the result\n"), &json!("text")));

    let (_, logs) = read(&client, "mine", false, true).await;
    assert_eq!(logs.len(), 2, "{logs:?}");
    assert_eq!(logs[0], "stderr: one");
    assert!(logs[1].starts_with("stderr: two ") && logs[1].contains("forged"), "{logs:?}");
    assert!(!logs[1].contains(['\x1b', '\r']), "{logs:?}");
    assert_eq!(
        read(&client, "mine", false, false).await,
        (false, vec![]),
        "the answer has only what the request asked for"
    );
    assert_eq!(read(&client, "mine", true, false).await, (true, vec![]));

    // Both output streams of a typed function are logs.
    let echo = guest_artifact("values-echo.wasm").unwrap();
    for (function, line) in [("print", "stdout: hello"), ("complain", "stderr: hello")] {
        let request = new_task("echo", &echo, function, vec![named("line", text("hello"))]);
        submit(&client, with_id(function, request)).await;
        ended(&client, function).await.unwrap();
        assert_eq!(read(&client, function, false, true).await.1, [line]);
    }
}

#[tokio::test]
async fn a_synchronous_execution_can_be_read_afterwards() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let script = Script { stderr: "a line\n".into(), ..Script::default() };
    let script = put_script(&host, "script.wasm", &script);
    let request = with_id("mine", new_task("logs", &script, "run", vec![]));
    let answer = client.invoke_function(request).await.unwrap().into_inner();
    assert_eq!(status(&client, "mine").await.unwrap(), answer.result);
    assert_eq!(read(&client, "mine", true, true).await, (true, vec!["stderr: a line".to_owned()]));
    let shown = json_of(&host, "/status/mine").await;
    assert_eq!((&shown["mode"], &shown["status"]), (&json!("SYNC"), &json!("COMPLETED")));
}

#[tokio::test]
async fn the_estimate_follows_measured_times_and_the_queue() {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let script = put_script(&host, "script.wasm", &Script::sleeps(Duration::from_millis(200)));
    let request = new_task("sleeps", &script, "run", vec![]);
    let mut took = Vec::new();
    for _ in 0..4 {
        let answer = submit(&client, request.clone()).await;
        assert!(answer.estimated_completion_ms >= 1);
        took.push(ended(&client, &answer.execution_id).await.unwrap().execution_time_ms);
    }
    // Compared with the measured times, which are longer on a busy machine.
    let mean = took.iter().sum::<i64>() / 4;
    assert!(mean >= 200, "{took:?}");
    let near = |estimate: i64, of: i64| estimate * 4 >= of && estimate <= of * 4;
    let mut last = submit(&client, request.clone()).await;
    assert!(near(last.estimated_completion_ms, mean), "{} of {took:?}", last.estimated_completion_ms);

    // One worker has ten executions to run before this one.
    for _ in 0..10 {
        last = submit(&client, request.clone()).await;
    }
    assert!(near(last.estimated_completion_ms, 11 * mean), "{} of {took:?}", last.estimated_completion_ms);
    let began = Instant::now();
    let result = ended(&client, &last.execution_id).await.unwrap();
    let waited = i64::try_from(began.elapsed().as_millis()).unwrap();
    assert_eq!(result.status(), ExecutionStatus::Completed);
    assert!(near(last.estimated_completion_ms, waited), "{waited} ms: {}", last.estimated_completion_ms);
}
