//! Handlers and clients that behave correctly.

use super::{cases, deployed, get, http, whole};
use bytes::Bytes;
use futures::StreamExt as _;
use pilum_client::ExecutionFilter;
use pilum_tests::{Host, idle};
use pilum_types::{InstancePolicy, Policy, Reuse, State};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

#[tokio::test]
async fn a_handler_gets_the_path_after_its_task() {
    let host = cases().await;
    for (path, seen) in
        [("cases/hello", "/hello"), ("cases/hello?a=1&b=%20", "/hello?a=1&b=%20"), ("cases/status/204", "")]
    {
        let (status, body) = whole(get(&host, path).await).await;
        let expected =
            if seen.is_empty() { (204, String::new()) } else { (200, format!("hello from {seen}\n")) };
        assert_eq!((status, body), expected, "{path}");
    }
    assert_eq!(whole(get(&host, "cases").await).await.0, 404, "the handler's own 404");
    assert_eq!(whole(get(&host, "cases/").await).await, (404, "as asked\n".to_owned()));
    let (status, body) = whole(get(&host, "nobody/hello").await).await;
    assert_eq!(status, 404);
    assert!(body.contains("no task has the id"), "{body}");
}

#[tokio::test]
async fn a_task_is_found_by_its_id_and_its_calls_are_executions() {
    let host = Host::start().await.unwrap();
    let (client, id) = deployed(&host, "cases", "http-cases.wasm", Policy::default()).await;
    assert_eq!(get(&host, &format!("{id}/late")).await.status(), 200);
    let filter = ExecutionFilter { task_id: Some(id), ..ExecutionFilter::default() };
    let lines = client.list_executions(&filter).await.unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.function.as_str(), line.state), ("handle", State::Completed));
    let report = client.status(&line.id, true, true).await.unwrap().unwrap();
    assert_eq!(report.logs, ["stderr: after the response"]);
}

#[tokio::test]
async fn headers_except_those_of_the_connection_are_passed() {
    let host = cases().await;
    let request = http()
        .get(format!("http://{}/fn/cases/headers", host.http))
        .header("X-Own", "one")
        .header("Connection", "x-hop")
        .header("X-Hop", "two")
        .header("TE", "trailers");
    let (_, seen) = whole(request.send().await.unwrap()).await;
    assert!(seen.contains("x-own: one"), "{seen}");
    assert!(!seen.contains("x-hop") && !seen.contains("te:") && !seen.contains("connection"), "{seen}");
    // wasi:http gives the authority by another function.
    assert!(!seen.contains("host:"), "{seen}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's caller belongs to no tracker")]
async fn bodies_stream_both_ways() {
    let host = cases().await;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let request = http()
        .post(format!("http://{}/fn/cases/echo", host.http))
        .body(reqwest::Body::wrap_stream(ReceiverStream::new(receiver)));
    let sending = tokio::spawn(request.send());
    sender.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
    // The head and the first chunk are received before the second is sent.
    let mut body = sending.await.unwrap().unwrap().bytes_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "first");
    sender.send(Ok(Bytes::from_static(b"second"))).await.unwrap();
    assert_eq!(body.next().await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_large_body_passes_through_a_guest() {
    let host = cases().await;
    let chunk = Bytes::from(vec![7; 1 << 20]);
    let chunks = futures::stream::iter((0..64).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let request =
        http().post(format!("http://{}/fn/cases/echo", host.http)).body(reqwest::Body::wrap_stream(chunks));
    let mut body = request.send().await.unwrap().bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        bytes += chunk.unwrap().len();
    }
    assert_eq!(bytes, 64 << 20);
}

#[tokio::test]
async fn instances_are_new_unless_the_task_reuses_them() {
    let host = cases().await;
    for _ in 0..3 {
        assert_eq!(whole(get(&host, "cases/count").await).await.1, "1");
    }
    let instances = InstancePolicy {
        reuse: Some(Reuse { calls_max: 3, ..Reuse::default() }),
        ..InstancePolicy::default()
    };
    deployed(&host, "reused", "http-cases.wasm", Policy { instances, ..Policy::default() }).await;
    for expected in ["1", "2", "3", "1", "2"] {
        assert_eq!(whole(get(&host, "reused/count").await).await.1, expected);
    }
    // An instance that trapped is not used again.
    assert_eq!(get(&host, "reused/trap").await.status(), 500);
    assert_eq!(whole(get(&host, "reused/count").await).await.1, "1");
}

#[tokio::test]
async fn a_handler_has_the_environment_of_its_task() {
    let host = Host::start().await.unwrap();
    let environment = Arc::from([("GREETING".to_owned(), "hello".to_owned())]);
    deployed(&host, "cases", "http-cases.wasm", Policy { environment, ..Policy::default() }).await;
    assert_eq!(whole(get(&host, "cases/environment").await).await.1, "GREETING=hello");
}

#[tokio::test]
async fn calls_without_a_body_in_the_answer_complete() {
    let host = Host::start().await.unwrap();
    let instances = InstancePolicy { reuse: Some(Reuse::default()), ..InstancePolicy::default() };
    let (client, id) =
        deployed(&host, "cases", "http-cases.wasm", Policy { instances, ..Policy::default() }).await;
    let url = |path: &str| format!("http://{}/fn/cases/{path}", host.http);
    for request in [http().get(url("status/204")), http().head(url("hello")), http().get(url("leak"))] {
        request.send().await.unwrap().bytes().await.unwrap();
    }
    idle(&client).await.unwrap();
    let filter = ExecutionFilter { task_id: Some(id), ..ExecutionFilter::default() };
    let states: Vec<State> =
        client.list_executions(&filter).await.unwrap().into_iter().map(|line| line.state).collect();
    assert_eq!(states, [State::Completed; 3]);
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let host = cases().await;
    let url = format!("http://{}/fn/cases/hello", host.http);
    let response = http().head(url).send().await.unwrap();
    assert_eq!(whole(response).await, (200, String::new()));
}
