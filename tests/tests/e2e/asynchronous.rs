//! Executions that are accepted now and run later: the answer, the estimate,
//! following them, cancelling them, retries, listings.

mod cancelling;
mod following;
mod listing;
mod retries;

use pilum_proto::spearlet::{ArtifactSpec, InvokeFunctionRequest, InvokeFunctionResponse};
use pilum_tests::wire::{RawClient, artifact, asynchronous, guest_artifact, new_task};
use pilum_tests::{Host, Script};

/// Submits, and is answered.
async fn submit(client: &RawClient, request: InvokeFunctionRequest) -> InvokeFunctionResponse {
    client.clone().invoke_function(asynchronous(request)).await.unwrap().into_inner()
}

/// A script, on the host's own disk.
fn put_script(host: &Host, name: &str, script: &Script) -> ArtifactSpec {
    artifact(host.put(name, &script.wasm().unwrap()).unwrap())
}

/// A call that does not end by itself.
fn sleeper(task: &str) -> InvokeFunctionRequest {
    new_task(task, &guest_artifact("hostile_sleep.wasm").unwrap(), "run", vec![])
}
