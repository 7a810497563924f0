//! A handler called over gRPC, as the function `handle`.

use pilum_client::Chunk;
use pilum_tests::{Functions, Host};
use pilum_types::Output;
use serde_json::json;

async fn functions(host: &Host) -> Functions {
    Functions::of_guest(host, "http-cases.wasm").await.unwrap()
}

#[tokio::test]
async fn parameters_are_the_request_and_the_body_is_the_result() {
    let host = Host::start().await.unwrap();
    let functions = functions(&host).await;
    let body = async |parameters| match functions.invoke("handle", parameters).await.unwrap() {
        invoked if invoked.success => match invoked.status.output {
            Some(Output::Raw(bytes)) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        },
        failed => panic!("{failed:?}"),
    };
    assert_eq!(body(json!({"path": "/hello?a=1"})).await, "hello from /hello?a=1\n");
    assert_eq!(body(json!({"method": "POST", "path": "/echo", "body": "said"})).await, "said");
    assert_eq!(
        body(json!({"method": "POST", "path": "/echo", "body": {"a": [1, true]}})).await,
        r#"{"a":[1,true]}"#
    );
    let seen = body(json!({"path": "/headers", "headers": {"X-Own": "one"}})).await;
    assert!(seen.contains("x-own: one") && !seen.contains("host"), "{seen}");
    let seen = body(json!({"path": "/headers", "headers": [["a", "1"], ["a", "2"]]})).await;
    assert!(seen.contains("a: 1\na: 2"), "{seen}");
}

#[tokio::test]
async fn a_failure_status_of_the_handler_fails_the_call() {
    let host = Host::start().await.unwrap();
    let functions = functions(&host).await;
    let missing = functions.invoke("handle", json!({"path": "/nowhere"})).await.unwrap();
    assert!(missing.success, "{missing:?}");
    assert_eq!(missing.status.metrics.get("http_status").map(String::as_str), Some("404"));
    let (code, message) = functions.failure("handle", json!({"path": "/status/503"})).await.unwrap();
    assert_eq!((code.as_str(), message.as_str()), ("GUEST_ERROR", "the handler answered 503: as asked\n"));
    let (code, message) = functions.failure("handle", json!({"path": "/silent"})).await.unwrap();
    assert_eq!((code.as_str(), message.as_str()), ("GUEST_ERROR", "the handler ended without a response"));
    let (code, _) = functions.failure("handle", json!({"path": "/trap"})).await.unwrap();
    assert_eq!(code, "TRAP_UNREACHABLE");
    let (code, _) = functions.failure("handle", json!({"path": "/endless"})).await.unwrap();
    assert_eq!(code, "RESULT_TOO_LARGE");
}

#[tokio::test]
async fn parameters_that_make_no_request_are_refused() {
    let host = Host::start().await.unwrap();
    let functions = functions(&host).await;
    for (parameters, message) in [
        (json!({"path": "hello"}), "path"),
        (json!({"path": "/a b"}), "path"),
        (json!({"path": "http://a/"}), "path"),
        (json!({"method": "A B"}), "method"),
        (json!({"headers": {"a b": "1"}}), "headers.a b"),
        (json!({"headers": {"a": "1\r\nb: 2"}}), "headers.a"),
        (json!({"headers": [["a"]]}), "headers[0]"),
        (json!({"headers": 5}), "headers"),
        (json!({"query": "a"}), "query"),
    ] {
        let refused = functions.refused("handle", parameters.clone()).await.unwrap();
        assert!(refused.message.contains(message), "{parameters}: {}", refused.message);
    }
}

#[tokio::test]
async fn a_stream_has_the_body_while_it_is_written() {
    let host = Host::start().await.unwrap();
    let functions = functions(&host).await;
    let call = functions.call("handle", json!({"path": "/endless"})).unwrap();
    let mut chunks = functions.client().stream(call).await.unwrap();
    let mut bytes = 0;
    // More bytes than a result may have.
    while bytes < 64 << 20 {
        match chunks.next().await.unwrap() {
            Some(Chunk::Output(Output::Raw(chunk))) => bytes += chunk.len(),
            other => panic!("{other:?}"),
        }
    }
}
