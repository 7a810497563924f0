//! Which failures have another attempt, and which do not.

use super::submit;
use crate::common::put_script;
use pilum_proto::spearlet::{ExecutionContext, ExecutionResult, ExecutionStatus, InvokeFunctionRequest};
use pilum_tests::wire::{RawClient, ended, guest_artifact, named, new_task, text, with_id};
use pilum_tests::{Host, Script, get};

async fn run(
    client: &RawClient,
    id: &str,
    max_retries: i32,
    request: InvokeFunctionRequest,
) -> ExecutionResult {
    let context = ExecutionContext { max_retries, ..request.context.unwrap_or_default() };
    submit(client, with_id(id, InvokeFunctionRequest { context: Some(context), ..request })).await;
    let result = ended(client, id).await.unwrap();
    assert_ne!(result.status(), ExecutionStatus::Completed, "{result:?}");
    result
}

#[tokio::test]
async fn errors_of_the_guest_are_retried() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let script = put_script(&host, "script.wasm", &Script::exits(3));
    let exits = new_task("exits", &script, "run", vec![]);
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let fails = new_task("echo", &echo, "fail", vec![named("message", text("on purpose"))]);
    for (id, max_retries, request, code, attempts) in [
        ("exits-1", 1, &exits, "GUEST_EXIT", "2"),
        ("exits-2", 2, &exits, "GUEST_EXIT", "3"),
        // No number given: as many as the host's configuration allows.
        ("exits-0", 0, &exits, "GUEST_EXIT", "4"),
        ("fails-1", 1, &fails, "GUEST_ERROR", "2"),
    ] {
        let result = run(&client, id, max_retries, request.clone()).await;
        assert_eq!((result.status(), result.error_code.as_str()), (ExecutionStatus::Failed, code), "{id}");
        assert_eq!(result.metrics["attempt"], attempts, "{id}");
        let (_, body) = get(&host.http, &format!("/status/{id}")).await.unwrap();
        let shown: serde_json::Value = serde_json::from_str(&body).unwrap();
        let shown = shown["attempts"].as_array().unwrap();
        assert_eq!(shown.len().to_string(), attempts, "{id}: {shown:?}");
        for (i, attempt) in shown.iter().enumerate() {
            assert_eq!((&attempt["number"], &attempt["error_code"]), (&(i + 1).into(), &code.into()), "{id}");
        }
    }
}

#[tokio::test]
async fn traps_and_exceeded_limits_are_not_retried() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (guest, code) in [
        ("hostile_trap.wasm", "TRAP_UNREACHABLE"),
        ("hostile_recursion.wasm", "TRAP_STACK_OVERFLOW"),
        ("hostile_memory.wasm", "MEMORY_LIMIT"),
        ("hostile_spin.wasm", "DEADLINE_EXCEEDED"),
    ] {
        let artifact = guest_artifact(guest).unwrap();
        let mut request = new_task(guest, &artifact, "run", vec![]);
        if code == "DEADLINE_EXCEEDED" {
            request.context.get_or_insert_default().timeout_ms = 200;
        }
        let result = run(&client, guest, 3, request).await;
        assert_eq!(result.error_code, code, "{result:?}");
        assert_eq!(result.metrics["attempt"], "1", "{guest}");
    }
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let host = Host::builder().config("[async_execution]\nenable_retries = false").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let script = put_script(&host, "script.wasm", &Script::exits(3));
    let result = run(&client, "mine", 3, new_task("exits", &script, "run", vec![])).await;
    assert_eq!((result.error_code.as_str(), result.metrics["attempt"].as_str()), ("GUEST_EXIT", "1"));
}

#[tokio::test]
async fn synchronous_calls_are_retried_if_the_host_allows_it() {
    for (enable, attempts) in [(false, "1"), (true, "2")] {
        let config = format!("[sync_execution]\nenable_retries = {enable}");
        let host = Host::builder().config(&config).start().await.unwrap();
        let mut client = host.raw_client().await.unwrap();
        let script = put_script(&host, "script.wasm", &Script::exits(3));
        let context = ExecutionContext { max_retries: 1, ..ExecutionContext::default() };
        let request =
            InvokeFunctionRequest { context: Some(context), ..new_task("exits", &script, "run", vec![]) };
        let answer = client.invoke_function(request).await.unwrap().into_inner();
        let result = answer.result.unwrap();
        assert_eq!(
            (result.error_code.as_str(), result.metrics["attempt"].as_str()),
            ("GUEST_EXIT", attempts)
        );
    }
}

#[tokio::test]
async fn a_cancelled_execution_has_no_further_attempt() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let script = put_script(&host, "script.wasm", &Script::exits(3));
    for i in 0..20 {
        let id = format!("id-{i}");
        submit(&client, with_id(&id, new_task("exits", &script, "run", vec![]))).await;
        let request = pilum_proto::spearlet::CancelExecutionRequest {
            execution_id: id.clone(),
            force: true,
            ..Default::default()
        };
        let answer = client.cancel_execution(request).await.unwrap().into_inner();
        let result = ended(&client, &id).await.unwrap();
        assert_eq!(result.status(), answer.final_status(), "{answer:?}");
    }
}
