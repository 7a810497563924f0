//! Ids from the caller: the same request with the same id is one execution.

use super::call;
use crate::common::put_script;
use pilum_proto::spearlet::{
    ExecutionContext, ExecutionMode, ExecutionStatus, InvokeFunctionRequest, InvokeFunctionResponse,
};
use pilum_tests::wire::{RawClient, asynchronous, census, ended, guest_artifact, new_task, numbers, with_id};
use pilum_tests::{Host, Script};
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Code;

/// Calls with the same id that are sent at once.
const RACERS: usize = 200;

fn adder(id: &str, numbers: &[f64]) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    with_id(id, new_task("adder", &artifact, "add", self::numbers(numbers)))
}

async fn refused(client: &RawClient, request: InvokeFunctionRequest) {
    let before = census(client).await.unwrap();
    let Err(status) = client.clone().invoke_function(request).await else {
        panic!("the call was not refused")
    };
    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
    assert!(status.message().contains("exists for another request"), "{status:?}");
    assert_eq!(census(client).await.unwrap(), before);
}

#[tokio::test]
async fn a_repeated_synchronous_call_has_the_same_answer() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let first = call(&client, adder("mine", &[2.0, 40.0])).await;
    assert_eq!(first.execution_id, "mine");
    assert_eq!(
        call(&client, adder("mine", &[2.0, 40.0])).await,
        first,
        "the answers are equal in every field"
    );
    let in_context = InvokeFunctionRequest {
        execution_id: None,
        context: Some(ExecutionContext { execution_id: "mine".into(), ..ExecutionContext::default() }),
        ..adder("mine", &[2.0, 40.0])
    };
    assert_eq!(call(&client, in_context).await, first, "the id may be in the context");
    let census = census(&client).await.unwrap();
    assert_eq!(census.executions, ["mine"]);
    assert_eq!(census.tasks[0].2, 1, "one execution was counted");
}

#[tokio::test]
async fn another_request_with_the_same_id_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (id, first) in
        [("sync", adder("sync", &[2.0, 40.0])), ("async", asynchronous(adder("async", &[2.0, 40.0])))]
    {
        call(&client, first.clone()).await;
        ended(&client, id).await.unwrap();
        let timeout = ExecutionContext { timeout_ms: 1_234, ..ExecutionContext::default() };
        let other_mode = match first.execution_mode() {
            ExecutionMode::Sync => ExecutionMode::Async,
            _ => ExecutionMode::Sync,
        };
        for other in [
            InvokeFunctionRequest { parameters: numbers(&[40.0, 2.0]), ..first.clone() },
            InvokeFunctionRequest { context: Some(timeout), ..first.clone() },
            InvokeFunctionRequest {
                function_name: "calculate-fibonacci".into(),
                parameters: numbers(&[2.0]),
                ..first.clone()
            },
            InvokeFunctionRequest { force_new_instance: true, ..first.clone() },
            InvokeFunctionRequest { execution_mode: other_mode.into(), ..first.clone() },
        ] {
            refused(&client, other).await;
        }
        // A call of another task with the same code is another request, and does not
        // register that task.
        refused(&client, InvokeFunctionRequest { task_name: "renamed".into(), ..first }).await;
    }
}

#[tokio::test]
async fn a_repeated_submission_has_the_present_status() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let request = asynchronous(adder("mine", &[2.0, 40.0]));
    let first = call(&client, request.clone()).await;
    assert_eq!(first.result.as_ref().unwrap().status(), ExecutionStatus::Pending);
    let result = ended(&client, "mine").await.unwrap();
    let again = call(&client, request).await;
    assert!(again.success, "{again:?}");
    assert_eq!((again.execution_id.as_str(), &again.task_id), ("mine", &first.task_id));
    assert_eq!(again.result, Some(result), "the answer has the present status");
    assert_eq!(again.estimated_completion_ms, 0);
    assert_eq!(census(&client).await.unwrap().executions, ["mine"]);
}

/// Sends `request` [`RACERS`] times at once.
async fn race(client: &RawClient, request: &InvokeFunctionRequest) -> Vec<InvokeFunctionResponse> {
    futures::future::join_all((0..RACERS).map(|_| call(client, request.clone()))).await
}

#[tokio::test]
async fn many_calls_with_one_id_at_once_run_once() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let script = Script { stdout: "once".into(), ..Script::sleeps(Duration::from_millis(100)) };
    let script = put_script(&host, "script.wasm", &script);
    let request = with_id("mine", new_task("sleeps", &script, "run", vec![]));

    let answers = race(&client, &request).await;
    assert!(answers[0].success, "{:?}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one result for all");
    let now = census(&client).await.unwrap();
    assert_eq!((now.executions.len(), now.tasks[0].2), (1, 1));

    let request = asynchronous(with_id("later", new_task("later", &script, "run", vec![])));
    let answers = race(&client, &request).await;
    let ids: BTreeSet<_> = answers.iter().map(|a| (a.execution_id.as_str(), a.task_id.as_str())).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let result = ended(&client, "later").await.unwrap();
    assert_eq!((result.status(), result.metrics["attempt"].as_str()), (ExecutionStatus::Completed, "1"));
    let now = census(&client).await.unwrap();
    assert_eq!(now.executions, ["later", "mine"]);
    assert_eq!(now.tasks.iter().map(|task| task.2).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn many_first_calls_of_a_task_register_it_once() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let request = new_task("adder", &artifact, "add", numbers(&[2.0, 40.0]));
    let answers = race(&client, &request).await;
    assert!(answers.iter().all(|answer| answer.success));
    let tasks: BTreeSet<_> = answers.iter().map(|answer| &answer.task_id).collect();
    let ids: BTreeSet<_> = answers.iter().map(|answer| &answer.execution_id).collect();
    let instances: BTreeSet<_> = answers.iter().map(|answer| &answer.instance_id).collect();
    assert_eq!((tasks.len(), ids.len(), instances.len()), (1, RACERS, RACERS));
    let now = census(&client).await.unwrap();
    assert_eq!(now.tasks, [("adder".to_owned(), answers[0].task_id.clone(), i32::try_from(RACERS).unwrap())]);
}
