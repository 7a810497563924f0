//! What the tests of several areas share.

use pilum_proto::spearlet::{ArtifactSpec, CancelExecutionRequest, InvokeFunctionRequest};
use pilum_tests::wire::{RawClient, artifact, guest_artifact, new_task, numbers};
use pilum_tests::{Host, Script};

/// Makes a call, which must succeed; returns the id of its task.
pub(crate) async fn call_ok(client: &RawClient, request: InvokeFunctionRequest) -> String {
    let answer = client.clone().invoke_function(request).await.unwrap().into_inner();
    assert!(answer.success, "{answer:?}");
    answer.task_id
}

/// Cancels an execution with force, which must succeed.
pub(crate) async fn cancel(client: &RawClient, id: &str) {
    let request = CancelExecutionRequest { execution_id: id.into(), force: true, ..Default::default() };
    assert!(client.clone().cancel_execution(request).await.unwrap().into_inner().success, "{id}");
}

/// A call that adds two numbers; it registers its task.
pub(crate) fn adder(task: &str) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    new_task(task, &artifact, "add", numbers(&[2.0, 40.0]))
}

/// A call that sleeps for an hour; it registers its task.
pub(crate) fn sleeper(task: &str) -> InvokeFunctionRequest {
    new_task(task, &guest_artifact("hostile_sleep.wasm").unwrap(), "run", vec![])
}

/// Writes a script to the host's disk, as an artifact.
pub(crate) fn put_script(host: &Host, name: &str, script: &Script) -> ArtifactSpec {
    artifact(host.put(name, &script.wasm().unwrap()).unwrap())
}
