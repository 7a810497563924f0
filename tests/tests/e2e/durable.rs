//! The promises to asynchronous callers: an accepted execution is kept, reaches a
//! terminal state, and can be followed until then.

mod callbacks;
mod dead_letters;
mod floods;
mod following;
mod restarts;
mod scheduling;

use pilum_client::{Call, Mode};
use pilum_tests::{Functions, Host, Script};
use pilum_types::ExecutionId;
use serde_json::Value as Json;

/// Submits a call; returns its id.
async fn submit(functions: &Functions, call: Call) -> ExecutionId {
    functions.client().invoke(call.mode(Mode::Async)).await.unwrap().execution_id
}

/// A task that runs the script.
async fn script(host: &Host, name: &str, script: &Script) -> Functions {
    Functions::of_bytes(host, name, &script.wasm().unwrap()).await.unwrap()
}

/// The status and the JSON body of an HTTP answer.
async fn json_at(host: &Host, path: &str) -> (u16, Json) {
    let (status, body) = pilum_tests::get(&host.http, path).await.unwrap();
    (status, serde_json::from_str(&body).unwrap())
}
