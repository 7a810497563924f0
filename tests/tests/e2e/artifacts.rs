//! Artifacts from web servers and from files below the roots.

mod files;
mod restart;
mod web;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use pilum_proto::spearlet::{ArtifactSpec, InvokeFunctionRequest};
use pilum_tests::wire::{RawClient, artifact, census, new_task, numbers};
use pilum_tests::{digest_of, guest};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Status;

/// A web server on a loopback address. It ends when this is dropped.
struct Server {
    address: String,
    /// The requested paths, in order.
    requests: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Starts a server that answers the n-th request, counted from 0, with `answer(n)`.
    async fn start(answer: impl Fn(usize) -> (StatusCode, Vec<u8>) + Clone + Send + Sync + 'static) -> Self {
        Self::slow(Duration::ZERO, answer).await
    }

    /// The same, but each answer comes after `delay`.
    async fn slow(
        delay: Duration,
        answer: impl Fn(usize) -> (StatusCode, Vec<u8>) + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let router = Router::new().fallback(async move |uri: Uri| {
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(uri.to_string());
                seen.len() - 1
            };
            tokio::time::sleep(delay).await;
            let (status, body) = answer(number);
            (status, Bytes::from(body))
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, requests, _serving: serving }
    }

    /// Always answers with the adder's code.
    async fn with_adder() -> Self {
        let code = adder();
        Self::start(move |_| (StatusCode::OK, code.clone())).await
    }

    fn url(&self) -> String {
        format!("http://{}/adder.wasm?signature=secret", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// The code that most tests fetch.
fn adder() -> Vec<u8> {
    guest("calculate-fibonacci.core.wasm").unwrap()
}

/// The adder at a location, with its checksum.
fn adder_at(location: &str) -> ArtifactSpec {
    artifact((location.to_owned(), digest_of(&adder())))
}

fn add(task: &str, artifact: &ArtifactSpec) -> InvokeFunctionRequest {
    new_task(task, artifact, "add", numbers(&[2.0, 40.0]))
}

/// Checks that the call is refused and that nothing is created; returns the status.
async fn refusal(client: &RawClient, request: InvokeFunctionRequest) -> Status {
    let before = census(client).await.unwrap();
    let location = request.artifact_spec.clone().unwrap().location;
    let Err(status) = client.clone().invoke_function(request).await else {
        panic!("{location} was not refused")
    };
    assert_eq!(census(client).await.unwrap(), before, "{location}");
    status
}

/// The number of files below a directory.
fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}
