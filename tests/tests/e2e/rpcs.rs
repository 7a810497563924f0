//! The RPCs around the calls, the standard services, and messages that no
//! sensible client sends.

mod hostile;
mod services;
mod statistics;
mod tasks;

use pilum_proto::spearlet::InvokeFunctionRequest;
use pilum_tests::wire::{RawClient, guest_artifact, new_task, numbers};

fn adder(task: &str) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    new_task(task, &artifact, "add", numbers(&[2.0, 40.0]))
}

fn sleeper(task: &str) -> InvokeFunctionRequest {
    new_task(task, &guest_artifact("hostile_sleep.wasm").unwrap(), "run", vec![])
}

/// Calls a function, which must go well. That is what a healthy host does.
async fn call_ok(client: &RawClient, request: InvokeFunctionRequest) -> String {
    let answer = client.clone().invoke_function(request).await.unwrap().into_inner();
    assert!(answer.success, "{answer:?}");
    answer.task_id
}
