//! Messages that are too large, too deep or empty, and idle connections.

use crate::common::{adder, call_ok};
use pilum_proto::spearlet::{
    CancelExecutionRequest, DeleteTaskRequest, GetExecutionStatusRequest, GetHealthRequest, GetStatsRequest,
    GetTaskRequest, InvokeFunctionRequest, ListExecutionsRequest, ListTasksRequest,
};
use pilum_tests::wire::{any, asynchronous, census, guest_artifact, named, new_task, text};
use pilum_tests::{Host, get};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt as _;

/// Connections that send nothing, or an incomplete request.
const IDLE: usize = 500;
/// The first bytes of an HTTP/2 client: the preface and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn requests_over_the_size_limit_are_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let of_size = |bytes: usize| {
        let value = text(&"x".repeat(bytes));
        new_task("echo", &echo, "echo-string", vec![named("value", value)])
    };
    for bytes in [(8 << 20) + 1, 9 << 20, 40 << 20] {
        for request in [of_size(bytes), asynchronous(of_size(bytes))] {
            let status = client.clone().invoke_function(request).await.unwrap_err();
            assert_eq!(status.code(), Code::OutOfRange, "{bytes} bytes: {status:?}");
            assert!(status.message().contains("8388608"), "{status:?}");
        }
    }
    // The connection still works, and a request within the bound is accepted.
    assert_eq!(census(&client).await.unwrap().executions.len(), 0);
    call_ok(&client, of_size((8 << 20) - 4_096)).await;
    let request = ListTasksRequest { prefix: "x".repeat(9 << 20), ..Default::default() };
    let status = client.clone().list_tasks(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

/// A value of `levels` nested lists or objects.
fn nest(levels: usize, wrap: fn(Value) -> Kind) -> Value {
    let nothing = Value { kind: Some(Kind::NullValue(0)) };
    (0..levels).fold(nothing, |inner, _| Value { kind: Some(wrap(inner)) })
}

#[tokio::test]
async fn values_nested_too_deep_are_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let keywords = guest_artifact("extract-keywords.command.wasm").unwrap();
    let list: fn(Value) -> Kind = |inner| Kind::ListValue(ListValue { values: vec![inner] });
    let object: fn(Value) -> Kind =
        |inner| Kind::StructValue(Struct { fields: [("k".into(), inner)].into() });
    for wrap in [list, object] {
        for levels in [33, 49, 50, 51, 90, 1_000] {
            let value = named("value", any("Value", &nest(levels, wrap)));
            let status = client
                .clone()
                .invoke_function(new_task("deep", &keywords, "run", vec![value]))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{levels} levels: {status:?}");
            let field = &status.get_details_bad_request().unwrap().field_violations[0].field;
            assert_eq!(field, "parameters[0].value", "{levels} levels");
        }
        // A value of the greatest allowed depth reaches the guest, which refuses it.
        let value = named("value", any("Value", &nest(32, wrap)));
        let request = new_task("deep", &keywords, "run", vec![value]);
        let answer = client.clone().invoke_function(request).await.unwrap().into_inner();
        assert_eq!(answer.result.unwrap().error_code, "GUEST_EXIT");
    }
    call_ok(&client, adder("adder")).await;
    let health = client.clone().get_health(GetHealthRequest::default()).await.unwrap().into_inner();
    assert_eq!(health.status, "healthy");
}

#[tokio::test]
async fn empty_messages_have_an_answer() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let invoked = client.invoke_function(InvokeFunctionRequest::default()).await.unwrap_err();
    assert_eq!(invoked.code(), Code::InvalidArgument);
    let streamed = client.stream_function(InvokeFunctionRequest::default()).await.map(drop).unwrap_err();
    assert_eq!(streamed.code(), Code::InvalidArgument);
    let cancelled = client.cancel_execution(CancelExecutionRequest::default()).await.unwrap_err();
    assert_eq!(cancelled.code(), Code::NotFound);
    let deleted = client.delete_task(DeleteTaskRequest::default()).await.unwrap_err();
    assert_eq!(deleted.code(), Code::NotFound);
    assert!(!client.get_task(GetTaskRequest::default()).await.unwrap().into_inner().found);
    let status = client.get_execution_status(GetExecutionStatusRequest::default()).await.unwrap();
    assert!(!status.into_inner().found);
    assert!(client.list_tasks(ListTasksRequest::default()).await.unwrap().into_inner().tasks.is_empty());
    let listed = client.list_executions(ListExecutionsRequest::default()).await.unwrap().into_inner();
    assert!(listed.executions.is_empty());
    assert_eq!(client.get_health(GetHealthRequest::default()).await.unwrap().into_inner().status, "healthy");
    assert!(client.get_stats(GetStatsRequest::default()).await.unwrap().into_inner().service_stats.is_some());
}

#[tokio::test]
async fn too_many_values_are_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    // A million values in few bytes must not stop the host.
    let ones = vec![Value { kind: Some(Kind::BoolValue(true)) }; 1_100_000];
    let list = any("ListValue", &ListValue { values: ones });
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let request = new_task("echo", &echo, "echo-list-u8", vec![named("value", list)]);
    let status = client.clone().invoke_function(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    call_ok(&client, adder("adder")).await;
}

#[tokio::test]
async fn idle_connections_do_not_block_others() {
    let host = Host::start().await.unwrap();
    let mut idle = Vec::new();
    for i in 0..IDLE {
        let address = if i % 4 == 3 { &host.http } else { &host.grpc };
        let mut stream = TcpStream::connect(address).await.unwrap();
        match i % 4 {
            0 => {}
            1 => stream.write_all(&PREFACE[..10]).await.unwrap(),
            2 => stream.write_all(PREFACE).await.unwrap(),
            _ => stream.write_all(b"GET /healthz HTTP/1.1\r\nHos").await.unwrap(),
        }
        idle.push(stream);
    }
    // Clients that connect later are served.
    let served = async {
        for _ in 0..10 {
            call_ok(&host.raw_client().await.unwrap(), adder("adder")).await;
            assert_eq!(get(&host.http, "/readyz").await.unwrap().0, 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
    assert_eq!(idle.len(), IDLE, "the idle connections were open all the time");
}

/// The host closes connections that have sent nothing, to make room for others.
#[tokio::test]
async fn new_connections_replace_silent_ones_at_the_bound() {
    let host = Host::builder().config("[listen]\nmax_connections = 50").start().await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(&host.grpc).await.unwrap());
        idle.push(TcpStream::connect(&host.http).await.unwrap());
    }
    for _ in 0..5 {
        call_ok(&host.raw_client().await.unwrap(), adder("adder")).await;
        assert_eq!(get(&host.http, "/healthz").await.unwrap().0, 200);
    }
    assert_eq!(idle.len(), 200);
}
