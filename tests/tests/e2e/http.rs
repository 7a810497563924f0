//! HTTP handlers, called by HTTP under `/fn/{task}/…` and by name over gRPC.

mod by_name;
mod hostile;
mod served;

use pilum_client::{Client, Deployment};
use pilum_tests::{Host, guest};
use pilum_types::{Policy, TaskId, TaskName};
use reqwest::Response;

/// Uploads a built guest and deploys it as a task, as a user does.
pub(crate) async fn deployed(host: &Host, name: &str, file: &str, policy: Policy) -> (Client, TaskId) {
    let client = host.client().await.unwrap();
    let source = client.upload(guest(file).unwrap().into(), |_| {}).await.unwrap();
    let deployment = Deployment {
        name: TaskName::parse(name).unwrap(),
        description: String::new(),
        source,
        version: String::new(),
        policy,
    };
    let id = client.deploy(deployment).await.unwrap().task_id;
    (client, id)
}

/// A host with the handlers of `http-cases` under the name `cases`.
async fn cases() -> Host {
    let host = Host::start().await.unwrap();
    deployed(&host, "cases", "http-cases.wasm", Policy::default()).await;
    host
}

/// A client for a host on this machine.
pub(crate) fn http() -> reqwest::Client {
    // The client needs a provider of cryptography, though these tests use none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn get(host: &Host, path: &str) -> Response {
    http().get(format!("http://{}/fn/{path}", host.http)).send().await.unwrap()
}

/// The status and the body of an answer.
pub(crate) async fn whole(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}
