//! `http:` locations and the failures of web servers.

use super::{Server, add, adder, adder_at, files, refusal};
use crate::common::call_ok;
use axum::http::StatusCode;
use pilum_proto::spearlet::ArtifactSpec;
use pilum_tests::wire::{asynchronous, census, tasks};
use pilum_tests::{Host, digest_of};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Calls of one new artifact at once.
const RACERS: usize = 100;
const PRIVATE: &str = "[artifacts]\nallow_private_addresses = true";

fn check_location(status: &Status, says: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains(says), "{status:?}");
    let details = status.get_details_bad_request().unwrap();
    assert_eq!(details.field_violations[0].field, "artifact_spec.location", "{status:?}");
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let server = Server::with_adder().await;
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "224.0.0.1",
        "255.255.255.255",
    ];
    for name in hosts {
        let artifact = adder_at(&format!("http://{name}:{port}/adder.wasm"));
        check_location(&refusal(&client, add("t", &artifact)).await, "is not public");
    }
    let artifact = adder_at(&server.url());
    check_location(&refusal(&client, asynchronous(add("t", &artifact))).await, "is not public");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn an_artifact_is_fetched_once() {
    let server = Server::with_adder().await;
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for task in ["a", "a", "b"] {
        call_ok(&client, add(task, &adder_at(&server.url()))).await;
    }
    assert_eq!(server.requests(), 1, "one digest is fetched once for all tasks");
}

#[tokio::test]
async fn a_temporary_failure_is_retried() {
    let code = adder();
    let server = Server::start(move |number| match number {
        0 => (StatusCode::SERVICE_UNAVAILABLE, vec![]),
        1 => (StatusCode::TOO_MANY_REQUESTS, vec![]),
        _ => (StatusCode::OK, code.clone()),
    })
    .await;
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    call_ok(&client, add("t", &adder_at(&server.url()))).await;
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_permanent_failure_is_reported() {
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (answer, requests) in [
        (StatusCode::NOT_FOUND, 1),
        (StatusCode::FORBIDDEN, 1),
        (StatusCode::NO_CONTENT, 1),
        // The host retries this failure, but the server never succeeds.
        (StatusCode::INTERNAL_SERVER_ERROR, 4),
    ] {
        let server = Server::start(move |_| (answer, b"no".to_vec())).await;
        let status = refusal(&client, add("t", &adder_at(&server.url()))).await;
        assert_eq!((status.code(), server.requests()), (Code::Unavailable, requests), "{answer}: {status:?}");
        assert!(status.message().contains(answer.as_str()), "the cause of the last failure: {status:?}");
        assert!(!status.message().contains("secret"), "queries may hold signatures: {status:?}");
    }
    // The host remembers no failure of a server.
    let server = Server::with_adder().await;
    call_ok(&client, add("t", &adder_at(&server.url()))).await;

    let closed = Server::with_adder().await;
    let url = closed.url();
    drop(closed);
    let other = digest_of(b"nobody has these bytes");
    let nobody = ArtifactSpec { checksum: other, ..adder_at(&url) };
    let status = refusal(&client, add("other", &nobody)).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn bytes_with_another_digest_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(|_| (StatusCode::OK, b"\0asm\x01\0\0\0".to_vec())).await;
    let host = Host::builder().config(PRIVATE).data_dir(data.path()).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for tried in 1..=2 {
        let status = refusal(&client, add("t", &adder_at(&server.url()))).await;
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        assert!(status.message().contains(&digest_of(&adder())), "{status:?}");
        assert_eq!(server.requests(), tried, "one request, without a retry");
    }
    assert_eq!(files(&data.path().join("blobs")), 0);
}

#[tokio::test]
async fn an_artifact_above_the_size_limit_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(|_| (StatusCode::OK, vec![0; 33 << 20])).await;
    let host = Host::builder().config(PRIVATE).data_dir(data.path()).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let status = refusal(&client, add("t", &adder_at(&server.url()))).await;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert!(status.message().contains("larger than 33554432 bytes"), "{status:?}");
    assert_eq!((server.requests(), files(&data.path().join("blobs"))), (1, 0));
}

#[tokio::test]
async fn many_first_calls_of_an_artifact_fetch_it_once() {
    let code = adder();
    // Long enough for all calls to wait.
    let server = Server::slow(Duration::from_millis(300), move |_| (StatusCode::OK, code.clone())).await;
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let artifact = adder_at(&server.url());
    let calls = (0..RACERS).map(|i| call_ok(&client, add(&format!("task-{}", i % 3), &artifact)));
    futures::future::join_all(calls).await;
    assert_eq!(server.requests(), 1);
    let census = census(&client).await.unwrap();
    assert_eq!((census.tasks.len(), census.executions.len()), (3, RACERS));
}

#[tokio::test]
async fn an_artifact_without_a_checksum_is_pinned_when_allowed() {
    let code = adder();
    let server = Server::start(move |number| match number {
        0 => (StatusCode::OK, code.clone()),
        _ => (StatusCode::OK, b"\0asm\x01\0\0\0".to_vec()),
    })
    .await;
    let unpinned = ArtifactSpec { checksum: String::new(), ..adder_at(&server.url()) };
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let status = refusal(&client, add("t", &unpinned)).await;
    assert_eq!((status.code(), server.requests()), (Code::InvalidArgument, 0), "{status:?}");
    let details = status.get_details_bad_request().unwrap();
    assert_eq!(details.field_violations[0].field, "artifact_spec.checksum");

    let config = format!("{PRIVATE}\nallow_missing_checksum = true");
    let host = Host::builder().config(&config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    call_ok(&client, add("t", &unpinned)).await;
    let task = tasks(&client, true).await.unwrap().remove(0);
    assert_eq!(
        task.artifact_spec.unwrap().checksum,
        digest_of(&adder()),
        "the digest that was found is pinned"
    );
    // The server has other bytes now. The task runs its pinned bytes.
    call_ok(&client, add("t", &unpinned)).await;
    call_ok(&client, asynchronous(add("t", &unpinned))).await;
    assert_eq!(server.requests(), 1);
    let renamed = client.clone().invoke_function(add("renamed", &unpinned)).await.unwrap_err();
    assert_eq!((renamed.code(), server.requests()), (Code::NotFound, 2), "the new bytes have no add");
}

#[tokio::test]
async fn malformed_locations_are_refused_without_a_connection() {
    let server = Server::with_adder().await;
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let address = &server.address;
    for (location, says) in [
        (format!("http://user:password@{address}/"), "credentials"),
        (format!("http:{address}/"), "scheme://host/path"),
        (format!("http:\\\\{address}/"), "scheme://host/path"),
        (format!("ftp://{address}/"), "\"ftp\" is not known"),
        ("data:application/wasm;base64,AGFzbQEAAAA=".to_owned(), "\"data\" is not known"),
        (address.clone(), "is not known"),
        ("http://".to_owned(), ""),
    ] {
        check_location(&refusal(&client, add("t", &adder_at(&location))).await, says);
    }
    assert_eq!(server.requests(), 0);
}
