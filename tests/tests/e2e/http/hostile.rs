//! Handlers and clients that misbehave.

use super::{cases, deployed, get, http, whole};
use futures::StreamExt as _;
use pilum_client::Client;
use pilum_tests::{Host, idle};
use pilum_types::{ExecutionId, InstancePolicy, Policy, PolicyLimits, Reuse};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A policy with this timeout.
fn within(timeout: Duration) -> Policy {
    let limits = PolicyLimits { timeout: Some(timeout), ..PolicyLimits::default() };
    Policy { limits, ..Policy::default() }
}

async fn nothing_runs(client: &Client) {
    idle(client).await.unwrap();
}

#[tokio::test]
async fn a_handler_without_a_response_fails() {
    let host = cases().await;
    for (path, code) in [("silent", "GUEST_ERROR"), ("trap", "TRAP_UNREACHABLE")] {
        let response = get(&host, &format!("cases/{path}")).await;
        let id = response.headers().get("pilum-execution-id").unwrap().to_str().unwrap().to_owned();
        let (status, body) = whole(response).await;
        assert_eq!(status, 500, "{path}");
        assert!(body.contains(code), "{path}: {body}");
        assert!(!body.contains("wasm"), "a visitor is shown no backtrace: {body}");
        let report = host
            .client()
            .await
            .unwrap()
            .status(&ExecutionId::parse(&id).unwrap(), true, true)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(report.status.error_code.as_deref(), Some(code), "{path}");
    }
}

#[tokio::test]
async fn an_unfinished_body_is_not_complete() {
    let host = cases().await;
    // The handler dropped the body, which in wasi:http means that the body is damaged.
    let url = format!("http://{}/fn/cases/headers-only", host.http);
    assert!(http().get(url).send().await.is_err());
    // A body that the handler still holds when it returns counts as complete.
    assert_eq!(whole(get(&host, "cases/leak").await).await, (200, "half".to_owned()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_complete() {
    let host = Host::start().await.unwrap();
    let (client, _) = deployed(&host, "cases", "http-cases.wasm", within(Duration::from_millis(500))).await;
    let mut body = get(&host, "cases/endless").await.bytes_stream();
    let mut last = None;
    while let Some(chunk) = body.next().await {
        last = Some(chunk);
    }
    assert!(last.unwrap().is_err());
    // No byte had been sent, so the host can still answer with an error.
    assert_eq!(get(&host, "cases/trap-later").await.status(), 500);
    nothing_runs(&client).await;
}

#[tokio::test]
async fn a_handler_that_never_answers_is_stopped() {
    let host = Host::start().await.unwrap();
    deployed(&host, "cases", "http-cases.wasm", within(Duration::from_millis(300))).await;
    let (status, body) = whole(get(&host, "cases/hang").await).await;
    assert_eq!(status, 504);
    assert!(body.contains("DEADLINE_EXCEEDED"), "{body}");
}

#[tokio::test]
async fn a_guest_stops_when_its_client_goes_away() {
    let host = cases().await;
    let client = host.client().await.unwrap();
    let mut endless = get(&host, "cases/endless").await.bytes_stream();
    endless.next().await.unwrap().unwrap();
    drop(endless);
    nothing_runs(&client).await;
    let mut half = TcpStream::connect(&host.http).await.unwrap();
    half.write_all(b"POST /fn/cases/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        .await
        .unwrap();
    let mut first = [0; 1];
    half.read_exact(&mut first).await.unwrap();
    drop(half);
    nothing_runs(&client).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_a_slot_only_until_the_timeout() {
    let host = Host::start().await.unwrap();
    let (client, _) = deployed(&host, "cases", "http-cases.wasm", within(Duration::from_secs(1))).await;
    let mut lazy = TcpStream::connect(&host.http).await.unwrap();
    lazy.write_all(b"GET /fn/cases/endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    lazy.read_exact(&mut first).await.unwrap();
    // The client stays connected, and the guest is stopped.
    nothing_runs(&client).await;
    drop(lazy);
}

#[tokio::test]
async fn a_reused_instance_that_leaks_its_response_is_dropped() {
    let host = Host::start().await.unwrap();
    let instances = InstancePolicy { reuse: Some(Reuse::default()), ..InstancePolicy::default() };
    deployed(&host, "cases", "http-cases.wasm", Policy { instances, ..Policy::default() }).await;
    assert_eq!(whole(get(&host, "cases/count").await).await.1, "1");
    assert_eq!(whole(get(&host, "cases/leak").await).await, (200, "half".to_owned()));
    assert_eq!(whole(get(&host, "cases/count").await).await.1, "1", "a new instance");
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let host = cases().await;
    let client = host.client().await.unwrap();
    for (request, status) in [
        ("GET /fn/cases/hello HTTP/1.1\r\n\r\n", "200"),
        ("GET /fn/cases/hello HTTP/1.0\r\n\r\n", "200"),
        ("GET /fn/%2e%2e/hello HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("GET /fn// HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("NONSENSE\r\n\r\n", "400"),
        ("POST /fn/cases/echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
        ("GET /fn/cases/hello HTTP/1.1\r\nHost: \x01\r\n\r\n", "400"),
    ] {
        let mut stream = TcpStream::connect(&host.http).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head[9..], status.as_bytes(), "{request:?}");
    }
    nothing_runs(&client).await;
}

#[tokio::test]
async fn a_function_that_is_no_handler_is_not_found() {
    let host = Host::start().await.unwrap();
    deployed(&host, "core", "calculate-fibonacci.core.wasm", Policy::default()).await;
    let (status, body) = whole(get(&host, "core/x").await).await;
    assert_eq!(status, 404);
    assert!(body.contains("handle") && body.contains("calculate"), "{body}");
}
