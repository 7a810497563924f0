//! Imports beyond WASI, and the grants that they need.

use crate::http::{deployed, http, whole};
use pilum_client::{Call, Client, ClientError, Code, Deployment, InvokeResult, Target};
use pilum_tests::{Host, guest, parameters_of, result_of};
use pilum_types::{FunctionName, Grants, HttpGrant, Policy, TaskId, TaskName};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tokio::net::TcpListener;

fn granted(grants: Grants) -> Policy {
    Policy { grants, ..Policy::default() }
}

fn all() -> Grants {
    Grants {
        config: Some(vec![("colour".into(), "blue".into()), ("size".into(), "5".into())]),
        key_value: true,
        logging: true,
        http: Vec::new(),
    }
}

async fn call(client: &Client, task: &TaskId, function: &str, parameters: Json) -> InvokeResult {
    let name = FunctionName::parse(function).unwrap();
    let call = Call::new(Target::Existing(task.clone()), name).parameters(parameters_of(parameters).unwrap());
    client.invoke(call).await.unwrap()
}

async fn result(client: &Client, task: &TaskId, function: &str, parameters: Json) -> Json {
    result_of(&call(client, task, function, parameters).await).unwrap()
}

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let source = client.upload(guest("imports-cases.wasm").unwrap().into(), |_| {}).await.unwrap();
    let deployment = |policy| Deployment {
        name: TaskName::parse("cases").unwrap(),
        description: String::new(),
        source: source.clone(),
        version: String::new(),
        policy,
    };
    let Err(ClientError::Status(refused)) = client.deploy(deployment(Policy::default())).await else {
        panic!("the deployment was not refused");
    };
    assert_eq!(refused.code, Code::FailedPrecondition);
    for import in [
        "wasi:config/store",
        "wasi:keyvalue/store",
        "wasi:keyvalue/atomics",
        "wasi:keyvalue/batch",
        "wasi:logging/logging",
    ] {
        assert!(refused.message.contains(import), "{import}: {}", refused.message);
    }
    assert!(refused.message.contains("[grants] key_value = true"), "{}", refused.message);
    assert!(client.list_tasks("").await.unwrap().is_empty());
    // The policy was the reason for the refusal, so the same code may be deployed with
    // another policy.
    client.deploy(deployment(granted(all()))).await.unwrap();
}

#[tokio::test]
async fn a_task_reads_its_own_configuration() {
    let host = Host::start().await.unwrap();
    let (client, task) = deployed(&host, "cases", "imports-cases.wasm", granted(all())).await;
    assert_eq!(result(&client, &task, "configured", json!({"key": "colour"})).await, json!(["blue"]));
    assert_eq!(result(&client, &task, "configured", json!({"key": "none"})).await, json!([]));
    assert_eq!(result(&client, &task, "configured", json!({})).await, json!(["colour=blue", "size=5"]));
}

#[tokio::test]
async fn values_are_kept_for_each_task() {
    let host = Host::start().await.unwrap();
    let (client, one) = deployed(&host, "one", "imports-cases.wasm", granted(all())).await;
    let (_, two) = deployed(&host, "two", "imports-cases.wasm", granted(all())).await;
    let keep = json!({"bucket": "b", "pairs": [["k", "v"], ["l", "w"]]});
    assert_eq!(result(&client, &one, "keep", keep).await, json!(["k", "l"]));
    let single = json!({"bucket": "b", "pairs": [["m", "x"]]});
    assert_eq!(result(&client, &one, "keep", single).await, json!(["k", "l", "m"]));
    let find = json!({"bucket": "b", "keys": ["k", "l", "none"]});
    assert_eq!(result(&client, &one, "find", find.clone()).await, json!(["v", "w", "-"]));
    assert_eq!(result(&client, &two, "find", find).await, json!(["-", "-", "-"]));
    let elsewhere = json!({"bucket": "c", "keys": ["k"]});
    assert_eq!(result(&client, &one, "find", elsewhere).await, json!(["-"]));
    assert_eq!(result(&client, &one, "forget", json!({"bucket": "b", "key": "k"})).await, json!(false));
    for sum in [2, 4, 6] {
        let count = json!({"bucket": "b", "key": "n", "delta": 2});
        assert_eq!(result(&client, &one, "count", count).await, json!(sum));
    }
    let failed = call(&client, &one, "count", json!({"bucket": "b", "key": "l", "delta": 1})).await;
    assert_eq!(failed.status.error_message, "the value or the sum is not a whole number of 64 bits");
    client.delete_task(&one, true, true).await.unwrap();
    let (_, again) = deployed(&host, "one", "imports-cases.wasm", granted(all())).await;
    let find = json!({"bucket": "b", "keys": ["l"]});
    assert_eq!(
        result(&client, &again, "find", find).await,
        json!(["-"]),
        "nothing is left of a deleted task"
    );
}

#[tokio::test]
async fn values_outlive_the_host_and_have_a_bound() {
    let data = tempfile::tempdir().unwrap();
    let config = "[storage]\nkey_value_task_max_bytes = 2048";
    let host = Host::builder().data_dir(data.path()).config(config).start().await.unwrap();
    let (client, task) = deployed(&host, "cases", "imports-cases.wasm", granted(all())).await;
    result(&client, &task, "keep", json!({"bucket": "b", "pairs": [["k", "v"]]})).await;
    let large = json!({"bucket": "b", "pairs": [["l", "w".repeat(3_000)]]});
    let failed = call(&client, &task, "keep", large).await;
    assert!(failed.status.error_message.contains("would exceed 2048 bytes"), "{failed:?}");
    host.kill().await.unwrap();
    let host = Host::builder().data_dir(data.path()).config(config).start().await.unwrap();
    let client = host.client().await.unwrap();
    let find = json!({"bucket": "b", "keys": ["k"]});
    assert_eq!(result(&client, &task, "find", find).await, json!(["v"]));
}

#[tokio::test]
async fn log_lines_belong_to_the_execution_and_cannot_be_forged() {
    let host = Host::start().await.unwrap();
    let (client, task) = deployed(&host, "cases", "imports-cases.wasm", granted(all())).await;
    let invoked = call(&client, &task, "note", json!({"message": "one\u{1b}[2J\ntwo"})).await;
    let report = client.status(&invoked.execution_id, false, true).await.unwrap().unwrap();
    assert_eq!(report.logs, ["stderr: WARN cases: one\\u{1b}[2J", "stderr: two"]);
}

/// Starts a server that answers every request with its name; returns its port.
#[expect(clippy::disallowed_methods, reason = "the server ends with its test")]
async fn server(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = axum::Router::new()
        .route(
            "/redirect",
            axum::routing::get(|| async { axum::response::Redirect::temporary("http://127.0.0.1:1/") }),
        )
        .fallback(move || async move { name });
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn fetched(host: &Host, url: &str) -> (u16, String) {
    whole(http().get(format!("http://{}/fn/cases/fetch?{url}", host.http)).send().await.unwrap()).await
}

#[tokio::test]
async fn requests_go_only_to_granted_addresses() {
    let (open, closed) = (server("open").await, server("closed").await);
    let config = "[outgoing]\nallow_private_addresses = true";
    let host = Host::builder().config(config).start().await.unwrap();
    let grant = |text: String| HttpGrant::parse(&text).unwrap();
    let http = vec![grant(format!("127.0.0.1:{open}")), grant(format!("localhost:{open}"))];
    deployed(&host, "cases", "http-cases.wasm", granted(Grants { http, ..Grants::default() })).await;
    for name in ["127.0.0.1", "localhost", "LOCALHOST"] {
        assert_eq!(
            fetched(&host, &format!("http://{name}:{open}/x")).await,
            (200, "open".to_owned()),
            "{name}"
        );
    }
    // The host does not follow redirects. If the guest does, the new address is checked.
    assert_eq!(fetched(&host, &format!("http://127.0.0.1:{open}/redirect")).await.0, 307);
    for url in [
        format!("http://127.0.0.1:{closed}/"),
        format!("http://localhost:{closed}/"),
        format!("http://127.1:{open}/"),
        format!("http://2130706433:{open}/"),
        format!("http://[::ffff:127.0.0.1]:{open}/"),
        format!("http://127.0.0.1:{open}@127.0.0.1:{closed}/"),
        "http://example.com/".to_owned(),
    ] {
        let (status, error) = fetched(&host, &url).await;
        assert_eq!(status, 502, "{url}: {error}");
        assert!(error.contains("HttpRequestDenied") || error.contains("no such URL"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_granted_name_gives_no_access_to_private_addresses() {
    let port = server("inner").await;
    let host = Host::start().await.unwrap();
    let names = ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "0.0.0.0"];
    let http = names.iter().map(|name| HttpGrant::parse(&format!("{name}:{port}")).unwrap()).collect();
    deployed(&host, "cases", "http-cases.wasm", granted(Grants { http, ..Grants::default() })).await;
    for name in names {
        let (status, error) = fetched(&host, &format!("http://{name}:{port}/")).await;
        assert_eq!(status, 502, "{name}: {error}");
        assert!(error.contains("DestinationIpProhibited"), "{name}: {error}");
    }
}

#[tokio::test]
async fn without_a_grant_no_request_leaves() {
    let port = server("any").await;
    let host = Host::builder().config("[outgoing]\nallow_private_addresses = true").start().await.unwrap();
    let environment = Arc::from([("A".to_owned(), "b".to_owned())]);
    deployed(&host, "cases", "http-cases.wasm", Policy { environment, ..Policy::default() }).await;
    let (status, error) = fetched(&host, &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!((status, error.contains("HttpRequestDenied")), (502, true), "{error}");
}
