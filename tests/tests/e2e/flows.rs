//! Calls that become executions: of new and existing tasks, with ids from the caller,
//! as streams, and their answers.

mod dropped;
mod failures;
mod idempotency;
mod results;
mod tasks;

use pilum_proto::spearlet::{ArtifactSpec, InvokeFunctionRequest, InvokeFunctionResponse};
use pilum_tests::wire::{RawClient, artifact};
use pilum_tests::{Host, wasm};

/// Makes a call that the host answers with an execution.
async fn call(client: &RawClient, request: InvokeFunctionRequest) -> InvokeFunctionResponse {
    client.clone().invoke_function(request).await.unwrap().into_inner()
}

/// Writes code in text form to the host's disk, as an artifact.
fn put(host: &Host, name: &str, text: &str) -> ArtifactSpec {
    artifact(host.put(name, &wasm(text).unwrap()).unwrap())
}
