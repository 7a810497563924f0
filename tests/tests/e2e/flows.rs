//! Calls that become executions: of new and known tasks, with ids of the
//! caller's, in pieces, and what comes back.

mod dropped;
mod failures;
mod idempotency;
mod results;
mod tasks;

use pilum_proto::spearlet::{ArtifactSpec, InvokeFunctionRequest, InvokeFunctionResponse};
use pilum_tests::wire::{RawClient, artifact};
use pilum_tests::{Host, Script, wasm};

/// Calls, and is answered with an execution.
async fn call(client: &RawClient, request: InvokeFunctionRequest) -> InvokeFunctionResponse {
    client.clone().invoke_function(request).await.unwrap().into_inner()
}

/// Some code, on the host's own disk.
fn put(host: &Host, name: &str, text: &str) -> ArtifactSpec {
    artifact(host.put(name, &wasm(text).unwrap()).unwrap())
}

/// A script, on the host's own disk.
fn put_script(host: &Host, name: &str, script: &Script) -> ArtifactSpec {
    artifact(host.put(name, &script.wasm().unwrap()).unwrap())
}
