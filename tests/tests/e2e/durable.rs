//! What an asynchronous caller is promised: what was accepted is kept, reaches an
//! end, and can be followed there.

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

/// Accepts a call; returns its id.
async fn accept(functions: &Functions, call: Call) -> ExecutionId {
    functions.client().invoke(call.mode(Mode::Async)).await.unwrap().execution_id
}

/// A script as a task of its own.
async fn script(host: &Host, name: &str, script: &Script) -> Functions {
    Functions::of_bytes(host, name, &script.wasm().unwrap()).await.unwrap()
}

/// What the HTTP listener answers, as JSON.
async fn json_at(host: &Host, path: &str) -> (u16, Json) {
    let (status, body) = pilum_tests::get(&host.http, path).await.unwrap();
    (status, serde_json::from_str(&body).unwrap())
}
