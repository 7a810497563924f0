//! ListTasks, GetTask and DeleteTask.

use crate::common::{adder, call_ok, sleeper};
use pilum_proto::spearlet::{
    DeleteTaskRequest, DeleteTaskResponse, ExecutionContext, ExecutionStatus, GetTaskRequest,
    GetTaskResponse, InvokeFunctionRequest, ListTasksRequest,
};
use pilum_tests::Host;
use pilum_tests::wire::{
    RawClient, asynchronous, census, guest_artifact, new_task, numbers, status, until_status, with_id,
};
use std::time::{SystemTime, UNIX_EPOCH};

async fn get(
    client: &RawClient,
    id: &str,
    include_executions: bool,
    execution_limit: i32,
) -> GetTaskResponse {
    let request = GetTaskRequest { task_id: id.to_owned(), include_executions, execution_limit };
    client.clone().get_task(request).await.unwrap().into_inner()
}

async fn delete(client: &RawClient, id: &str, force: bool, cleanup_executions: bool) -> DeleteTaskResponse {
    let request = DeleteTaskRequest { task_id: id.to_owned(), force, cleanup_executions };
    client.clone().delete_task(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn tasks_are_listed_by_name_in_pages() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let names = ["A", "a", "a-1", "a-2", "a.b", "b", "b_1", "c"];
    for name in ["c", "a-2", "b", "a", "A", "a.b", "b_1", "a-1"] {
        call_ok(&client, adder(name)).await;
    }
    for (prefix, start_after, limit, expected, has_more) in [
        ("", "", 0, &names[..], false),
        ("", "", 8, &names, false),
        ("", "", 7, &names[..7], true),
        ("", "a-1", 2, &names[3..5], true),
        ("", "a-15", 2, &names[3..5], true),
        ("", "c", 2, &[], false),
        ("a", "", 0, &names[1..5], false),
        ("a-", "", 1, &names[2..3], true),
        ("a-", "a-1", 1, &names[3..4], false),
        ("a-", "A", 0, &names[2..4], false),
        ("a-", "b", 0, &[], false),
        ("x", "", 0, &[], false),
        ("", "", 5_000, &names, false),
    ] {
        let request = ListTasksRequest {
            prefix: prefix.into(),
            start_after: start_after.into(),
            limit,
            include_details: false,
        };
        let what = format!("{request:?}");
        let page = client.list_tasks(request).await.unwrap().into_inner();
        let listed: Vec<_> = page.tasks.iter().map(|task| task.task_name.as_str()).collect();
        assert_eq!((listed.as_slice(), page.has_more), (expected, has_more), "{what}");
        let next = if has_more { expected[expected.len() - 1] } else { "" };
        assert_eq!(page.next_start_after, next, "{what}");
        assert!(page.tasks.iter().all(|task| task.artifact_spec.is_none() && task.metadata.is_empty()));
    }
}

#[tokio::test]
async fn a_task_has_its_details() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let now_ms = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let mut request = InvokeFunctionRequest { task_description: "adds".into(), ..adder("adder") };
    let spec = request.artifact_spec.as_mut().unwrap();
    spec.artifact_type = "wasm".into();
    spec.metadata.insert("team".into(), "maths".into());
    let spec = spec.clone();
    let began_ms = now_ms();
    let id = call_ok(&client, with_id("a", request)).await;
    let listed = pilum_tests::wire::tasks(&client, true).await.unwrap().remove(0);
    assert_eq!((listed.task_id.as_str(), listed.task_name.as_str()), (id.as_str(), "adder"));
    assert_eq!(listed.artifact_spec.as_ref(), Some(&spec));
    assert_eq!(listed.metadata.len(), 2, "{listed:?}");
    assert_eq!((listed.execution_count, listed.last_status()), (1, ExecutionStatus::Completed));
    assert!(began_ms - 1_000 <= listed.created_at && listed.created_at <= listed.updated_at, "{listed:?}");
    assert!(listed.updated_at <= now_ms() + 1_000, "{listed:?}");

    let got = get(&client, &id, false, 0).await;
    assert_eq!((got.found, got.task.as_ref(), got.executions.len()), (true, Some(&listed), 0));

    // The status of the execution that ended last is shown.
    let nothing = ExecutionContext { timeout_ms: 1, ..ExecutionContext::default() };
    let sleep = InvokeFunctionRequest { context: Some(nothing), ..sleeper("sleep") };
    let timed_out = client.clone().invoke_function(sleep).await.unwrap().into_inner();
    let task = get(&client, &timed_out.task_id, false, 0).await.task.unwrap();
    assert_eq!((task.execution_count, task.last_status()), (1, ExecutionStatus::Timeout));
}

#[tokio::test]
async fn a_task_is_shown_with_its_executions_on_request() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let mut id = String::new();
    for execution in ["c", "a", "b"] {
        id = call_ok(&client, with_id(execution, adder("adder"))).await;
    }
    call_ok(&client, with_id("other", adder("other"))).await;
    for (limit, expected) in [(0, &["a", "b", "c"][..]), (2, &["a", "b"]), (5_000, &["a", "b", "c"])] {
        let got = get(&client, &id, true, limit).await;
        let ids: Vec<_> = got.executions.iter().map(|e| e.execution_id.as_str()).collect();
        assert_eq!(ids, expected, "{limit}");
        assert!(got.executions.iter().all(|execution| execution.task_id == id));
    }
}

#[tokio::test]
async fn an_idle_task_is_deleted_and_its_executions_are_kept() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let id = call_ok(&client, with_id("a", adder("adder"))).await;
    let deleted = delete(&client, &id, false, false).await;
    assert_eq!((deleted.success, deleted.deleted, deleted.cleaned_executions), (true, true, 0));
    assert!(!get(&client, &id, false, 0).await.found);
    assert!(status(&client, "a").await.unwrap().is_some(), "its executions are kept");
    let again = client.clone().delete_task(DeleteTaskRequest { task_id: id, ..Default::default() }).await;
    assert_eq!(again.unwrap_err().code(), tonic::Code::NotFound);
    // Other code may use the name now.
    let echo = guest_artifact("values-echo.wasm").unwrap();
    call_ok(&client, new_task("adder", &echo, "counter", vec![])).await;
}

#[tokio::test]
async fn a_busy_task_is_deleted_only_with_force() {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let mut id = String::new();
    for execution in ["runs", "waits"] {
        id = call_ok(&client, asynchronous(with_id(execution, sleeper("sleep")))).await;
    }
    let mut caller = client.clone();
    let sync = caller.invoke_function(with_id("sync", sleeper("sleep")));
    let others = async {
        for execution in ["runs", "sync"] {
            until_status(&client, execution, ExecutionStatus::Running).await.unwrap();
        }
        for cleanup in [false, true] {
            let busy = delete(&client, &id, false, cleanup).await;
            assert_eq!((busy.success, busy.deleted, busy.cleaned_executions), (false, false, 0), "{busy:?}");
            assert!(busy.message.contains('3') && busy.message.contains("force"), "{busy:?}");
        }
        let found = get(&client, &id, true, 0).await;
        assert_eq!((found.found, found.executions.len()), (true, 3));
        let deleted = delete(&client, &id, true, false).await;
        assert!(deleted.success && deleted.deleted, "{deleted:?}");
    };
    let (sync, ()) = tokio::join!(sync, others);
    assert_eq!(sync.unwrap().into_inner().result.unwrap().error_code, "CANCELLED");
    for execution in ["runs", "waits", "sync"] {
        let result = status(&client, execution).await.unwrap().unwrap();
        assert_eq!(result.status(), ExecutionStatus::Cancelled, "{execution}");
    }
    // The worker is free again.
    call_ok(&client, asynchronous(with_id("next", adder("adder")))).await;
    until_status(&client, "next", ExecutionStatus::Completed).await.unwrap();
}

#[tokio::test]
async fn a_task_is_deleted_with_its_executions_on_request() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let mut id = String::new();
    for i in 0..3 {
        id = call_ok(&client, with_id(&format!("sync-{i}"), adder("adder"))).await;
        let later = format!("async-{i}");
        call_ok(&client, asynchronous(with_id(&later, adder("adder")))).await;
        until_status(&client, &later, ExecutionStatus::Completed).await.unwrap();
    }
    call_ok(&client, with_id("other", adder("other"))).await;
    let deleted = delete(&client, &id, false, true).await;
    assert_eq!((deleted.deleted, deleted.cleaned_executions), (true, 6), "{deleted:?}");
    let left = census(&client).await.unwrap();
    assert_eq!((left.executions, left.tasks.len()), (vec!["other".to_owned()], 1));
    assert!(status(&client, "sync-0").await.unwrap().is_none());
    // Another request may use the id now.
    let parameters = numbers(&[1.0, 1.0]);
    call_ok(&client, with_id("sync-0", InvokeFunctionRequest { parameters, ..adder("another") })).await;
}
