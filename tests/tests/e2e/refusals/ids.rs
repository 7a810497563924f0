//! Unknown ids, well-formed or not, on every RPC and route that takes one. A malformed
//! id has the same answer as any other unknown id.

use super::check;
use pilum_proto::spearlet::{
    CancelExecutionRequest, DeleteTaskRequest, GetExecutionStatusRequest, GetTaskRequest,
    ListExecutionsRequest, ListTasksRequest,
};
use pilum_tests::wire::{asynchronous, census, existing_task};
use pilum_tests::{Host, get};
use tonic::Code;

fn unknown_ids() -> [String; 9] {
    [
        "exec-01arz3ndektsv4rrffq69g5fav".into(),
        "task-01arz3ndektsv4rrffq69g5fav".into(),
        String::new(),
        "a b".into(),
        "../../etc/passwd".into(),
        "a\nforged".into(),
        "\0".into(),
        "x".repeat(10_000),
        "ü".repeat(5_000),
    ]
}

#[tokio::test]
async fn a_call_of_an_unknown_id_is_not_found() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for id in unknown_ids().iter().filter(|id| !id.is_empty()) {
        let request = existing_task(id, "f", vec![]);
        check(&client, request.clone(), Code::NotFound, "", &["no task has the id"]).await;
        check(&client, asynchronous(request.clone()), Code::NotFound, "", &["no task has the id"]).await;
        let stream = pilum_proto::spearlet::InvokeFunctionRequest { execution_mode: 3, ..request };
        let Err(status) = client.clone().stream_function(stream).await else { panic!("{id:?} was found") };
        assert_eq!(status.code(), Code::NotFound);
    }
}

#[tokio::test]
async fn an_unknown_id_is_not_found_by_any_rpc() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let before = census(&client).await.unwrap();
    let mut answers = Vec::new();
    for id in unknown_ids() {
        let execution_id = id.clone();
        let request = GetExecutionStatusRequest { execution_id, include_result: true, include_logs: true };
        let status = client.get_execution_status(request).await.unwrap().into_inner();
        let request = GetTaskRequest { task_id: id.clone(), include_executions: true, execution_limit: 0 };
        let task = client.get_task(request).await.unwrap().into_inner();
        assert!(!status.found && !task.found, "{id:?}");
        answers.push((status, task));

        for force in [false, true] {
            let request = CancelExecutionRequest { execution_id: id.clone(), reason: String::new(), force };
            let Err(status) = client.cancel_execution(request).await else { panic!("{id:?} was found") };
            assert_eq!(status.code(), Code::NotFound, "{id:?}: {status:?}");
            let request = DeleteTaskRequest { task_id: id.clone(), force, cleanup_executions: force };
            let Err(status) = client.delete_task(request).await else { panic!("{id:?} was found") };
            assert_eq!(status.code(), Code::NotFound, "{id:?}: {status:?}");
        }
        if !id.is_empty() {
            let request = ListExecutionsRequest { task_id: id.clone(), ..Default::default() };
            let listed = client.list_executions(request).await.unwrap().into_inner();
            assert_eq!((listed.executions.len(), listed.has_more), (0, false), "{id:?}");
        }
    }
    // The answers do not show whether an id is malformed.
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(census(&client).await.unwrap(), before);
}

#[tokio::test]
async fn an_unknown_id_is_not_found_over_http() {
    let host = Host::start().await.unwrap();
    let long = "x".repeat(10_000);
    let ids = ["exec-01arz3ndektsv4rrffq69g5fav", "a%20b", "..%2F..%2Fetc%2Fpasswd", "a%0Ab", "%00", &long];
    for id in ids {
        for path in [format!("/api/v1/execution/{id}/status"), format!("/status/{id}")] {
            let (status, body) = get(&host.http, &path).await.unwrap();
            assert_eq!(status, 404, "{id}: {body}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["error"]["code"], "NOT_FOUND", "{id}");
        }
    }
    for path in ["/", "/status/", "/api/v1/execution//status", "/api/v1/tasks", "/status/a/b"] {
        assert_eq!(get(&host.http, path).await.unwrap().0, 404, "{path}");
    }
}

#[tokio::test]
async fn wrong_arguments_of_listings_are_refused() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let refused = |answered: Result<(), tonic::Status>, field: &str| {
        let Err(status) = answered else { panic!("{field} was not refused") };
        super::check_status(&status, Code::InvalidArgument, field, &[]);
    };
    let executions = ListExecutionsRequest::default;
    for (request, field) in [
        (ListExecutionsRequest { limit: -1, ..executions() }, "limit"),
        (ListExecutionsRequest { status_filter: 99, ..executions() }, "status_filter"),
        (ListExecutionsRequest { start_after: "a b".into(), ..executions() }, "start_after"),
    ] {
        refused(client.list_executions(request).await.map(drop), field);
    }
    let tasks = ListTasksRequest::default;
    for (request, field) in [
        (ListTasksRequest { limit: i32::MIN, ..tasks() }, "limit"),
        (ListTasksRequest { prefix: "x".repeat(10_000), ..tasks() }, "prefix"),
        (ListTasksRequest { start_after: "x".repeat(10_000), ..tasks() }, "start_after"),
    ] {
        refused(client.list_tasks(request).await.map(drop), field);
    }
    let request = GetTaskRequest { execution_limit: -1, ..Default::default() };
    refused(client.get_task(request).await.map(drop), "execution_limit");
    let request = CancelExecutionRequest { reason: "x".repeat(10_000), ..Default::default() };
    refused(client.cancel_execution(request).await.map(drop), "reason");
}
