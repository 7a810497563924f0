//! Ids that callers bring: the same request under the same id is one execution.

use super::{call, put_script};
use pilum_proto::spearlet::{
    ExecutionContext, ExecutionMode, ExecutionStatus, InvokeFunctionRequest, InvokeFunctionResponse,
};
use pilum_tests::wire::{RawClient, asynchronous, census, ended, guest_artifact, new_task, numbers, with_id};
use pilum_tests::{Host, Script};
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Code;

/// Submissions that race for one id.
const RACERS: usize = 200;

fn adder(id: &str, numbers: &[f64]) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    with_id(id, new_task("adder", &artifact, "add", self::numbers(numbers)))
}

async fn refused(client: &RawClient, request: InvokeFunctionRequest) {
    let before = census(client).await.unwrap();
    let Err(status) = client.clone().invoke_function(request).await else { panic!("it was taken") };
    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
    assert!(status.message().contains("exists for another request"), "{status:?}");
    assert_eq!(census(client).await.unwrap(), before);
}

#[tokio::test]
async fn a_synchronous_repeat() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let first = call(&client, adder("mine", &[2.0, 40.0])).await;
    assert_eq!(first.execution_id, "mine");
    assert_eq!(call(&client, adder("mine", &[2.0, 40.0])).await, first, "to the last figure");
    let in_context = InvokeFunctionRequest {
        execution_id: None,
        context: Some(ExecutionContext { execution_id: "mine".into(), ..ExecutionContext::default() }),
        ..adder("mine", &[2.0, 40.0])
    };
    assert_eq!(call(&client, in_context).await, first, "the other place of the id");
    let census = census(&client).await.unwrap();
    assert_eq!(census.executions, ["mine"]);
    assert_eq!(census.tasks[0].2, 1, "one execution was counted");
}

#[tokio::test]
async fn another_request_under_the_same_id() {
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
        // Another task with the same code is another request; and it stays unknown.
        refused(&client, InvokeFunctionRequest { task_name: "renamed".into(), ..first }).await;
    }
}

#[tokio::test]
async fn an_asynchronous_repeat() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let request = asynchronous(adder("mine", &[2.0, 40.0]));
    let first = call(&client, request.clone()).await;
    assert_eq!(first.result.as_ref().unwrap().status(), ExecutionStatus::Pending);
    let result = ended(&client, "mine").await.unwrap();
    let again = call(&client, request).await;
    assert!(again.success, "{again:?}");
    assert_eq!((again.execution_id.as_str(), &again.task_id), ("mine", &first.task_id));
    assert_eq!(again.result, Some(result), "how it stands by now");
    assert_eq!(again.estimated_completion_ms, 0);
    assert_eq!(census(&client).await.unwrap().executions, ["mine"]);
}

/// Sends `request` from as many callers at once.
async fn race(client: &RawClient, request: &InvokeFunctionRequest) -> Vec<InvokeFunctionResponse> {
    futures::future::join_all((0..RACERS).map(|_| call(client, request.clone()))).await
}

#[tokio::test]
async fn racers() {
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

/// First calls of one new task at once: one task, an execution each.
#[tokio::test]
async fn racers_for_a_name() {
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
