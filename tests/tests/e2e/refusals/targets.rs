//! Wrong or missing targets and execution modes.

use super::{check, check_status};
use crate::common::{adder, call_ok};
use pilum_proto::spearlet::{ExecutionMode, InvokeFunctionRequest};
use pilum_tests::wire::{artifact, asynchronous, census, existing_task, new_task, numbers};
use pilum_tests::{Host, wasm};
use tonic::Code;

#[tokio::test]
async fn an_unknown_invocation_type_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for number in [0, 99, -1] {
        let request = InvokeFunctionRequest { invocation_type: number, ..adder("t") };
        check(
            &client,
            request,
            Code::InvalidArgument,
            "invocation_type",
            &["must be NEW_TASK or EXISTING_TASK"],
        )
        .await;
    }
}

#[tokio::test]
async fn an_incomplete_target_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let refused = async |request, field, says| {
        check(&client, request, Code::InvalidArgument, field, &[says]).await;
    };
    let unnamed = InvokeFunctionRequest { task_name: String::new(), ..adder("t") };
    refused(unnamed, "task_name", "must not be empty").await;
    let without_artifact = InvokeFunctionRequest { artifact_spec: None, ..adder("t") };
    refused(without_artifact, "artifact_spec", "must be given").await;
    refused(existing_task("", "add", vec![]), "task_id", "must be given with EXISTING_TASK").await;
    let no_function = InvokeFunctionRequest { function_name: String::new(), ..adder("t") };
    refused(no_function.clone(), "function_name", "must not be empty").await;
    refused(asynchronous(no_function), "function_name", "must not be empty").await;
    refused(InvokeFunctionRequest::default(), "execution_mode", "must be SYNC or ASYNC").await;
}

#[tokio::test]
async fn invoke_function_takes_sync_and_async_only() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let with = |mode: i32, wait| InvokeFunctionRequest { execution_mode: mode, wait, ..adder("t") };
    for (mode, wait, says) in [
        (ExecutionMode::Unknown.into(), false, &["SYNC", "ASYNC", "STREAM", "StreamFunction"][..]),
        (99, false, &["SYNC", "ASYNC", "STREAM", "StreamFunction"]),
        (99, true, &["SYNC", "ASYNC", "STREAM", "StreamFunction"]),
        (ExecutionMode::Stream.into(), false, &["StreamFunction"]),
        (ExecutionMode::Stream.into(), true, &["StreamFunction"]),
    ] {
        check(&client, with(mode, wait), Code::InvalidArgument, "execution_mode", says).await;
    }
    let waits = with(ExecutionMode::Unknown.into(), true);
    let answer = client.clone().invoke_function(waits).await.unwrap().into_inner();
    assert!(answer.success, "wait without a mode means SYNC: {answer:?}");
    assert!(answer.result.unwrap().result.is_some());
}

#[tokio::test]
async fn stream_function_takes_stream_only() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let before = census(&client).await.unwrap();
    for (mode, says) in [
        (ExecutionMode::Sync.into(), "InvokeFunction"),
        (ExecutionMode::Async.into(), "InvokeFunction"),
        (99, "InvokeFunction"),
    ] {
        let request = InvokeFunctionRequest { execution_mode: mode, ..adder("t") };
        let Err(status) = client.stream_function(request).await else {
            panic!("mode {mode} was not refused")
        };
        check_status(&status, Code::InvalidArgument, "execution_mode", &[says]);
    }
    assert_eq!(census(&client).await.unwrap(), before);
    for mode in [ExecutionMode::Unknown, ExecutionMode::Stream] {
        let request = InvokeFunctionRequest { execution_mode: mode.into(), ..adder("t") };
        let mut chunks = client.stream_function(request).await.unwrap().into_inner();
        assert!(chunks.message().await.unwrap().unwrap().chunk_data.is_some());
        assert!(chunks.message().await.unwrap().unwrap().is_final);
    }
}

#[tokio::test]
async fn an_unknown_task_is_not_found_or_created_on_request() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let call = |id: &str| existing_task(id, "add", numbers(&[2.0, 40.0]));
    let refused = async |request, code, field, says| check(&client, request, code, field, &[says]).await;
    refused(call("task-none"), Code::NotFound, "", "no task has the id").await;
    refused(asynchronous(call("task-none")), Code::NotFound, "", "no task has the id").await;
    // Without create_if_not_exists the artifact makes no difference.
    let given = InvokeFunctionRequest { task_id: "task-none".into(), ..adder("t") };
    let given = InvokeFunctionRequest { invocation_type: call("x").invocation_type, ..given };
    refused(given.clone(), Code::NotFound, "", "no task has the id").await;

    let create = InvokeFunctionRequest { create_if_not_exists: true, ..given };
    let without_artifact = InvokeFunctionRequest { artifact_spec: None, ..create.clone() };
    let says = "with create_if_not_exists, give the artifact";
    refused(without_artifact, Code::InvalidArgument, "artifact_spec", says).await;
    let without_name = InvokeFunctionRequest { task_name: String::new(), ..create.clone() };
    let says = "with create_if_not_exists, give the name";
    refused(without_name, Code::InvalidArgument, "task_name", says).await;

    let answer = client.clone().invoke_function(create).await.unwrap().into_inner();
    assert!(answer.success && answer.task_id == "task-none", "{answer:?}");
    let again = client.clone().invoke_function(call("task-none")).await.unwrap().into_inner();
    assert!(again.success && again.task_id == "task-none", "{again:?}");
}

#[tokio::test]
async fn a_task_name_of_other_code_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let answers = |n: i32| {
        let text = format!("(module (func (export \"f\") (result i32) i32.const {n}))");
        let code = wasm(&text).unwrap();
        artifact(host.put(&format!("{n}.wasm"), &code).unwrap())
    };
    let (old, new) = (answers(1), answers(2));
    let first = call_ok(&client, new_task("name", &old, "f", vec![])).await;
    assert_eq!(call_ok(&client, new_task("name", &old, "f", vec![])).await, first, "the same digest");

    // The digests alone lead to the refusal; the new code need not exist.
    let unreachable =
        pilum_proto::spearlet::ArtifactSpec { location: "file:nowhere.wasm".into(), ..new.clone() };
    let create = InvokeFunctionRequest {
        invocation_type: existing_task("", "", vec![]).invocation_type,
        task_id: "task-other".into(),
        create_if_not_exists: true,
        ..new_task("name", &new, "f", vec![])
    };
    for request in [
        new_task("name", &new, "f", vec![]),
        asynchronous(new_task("name", &new, "f", vec![])),
        new_task("name", &unreachable, "f", vec![]),
        create,
    ] {
        let says = &["the task name exists", &old.checksum, &new.checksum, "pilum deploy"];
        check(&client, request, Code::AlreadyExists, "", says).await;
    }
}
