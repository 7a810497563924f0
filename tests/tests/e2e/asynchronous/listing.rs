//! Listings of executions: order, pages and filters.

use super::submit;
use crate::common::{cancel, put_script, sleeper};
use pilum_proto::spearlet::{ExecutionInfo, ExecutionMode, ExecutionStatus, ListExecutionsRequest};
use pilum_tests::wire::{
    RawClient, ended, executions, guest_artifact, new_task, numbers, returned, until_status, with_id,
};
use pilum_tests::{Host, Script};
use pilum_types::{Output, Value};
use std::collections::BTreeSet;

/// Executions submitted at once.
const MANY: u32 = 200;

fn ids(executions: &[ExecutionInfo]) -> Vec<String> {
    executions.iter().map(|execution| execution.execution_id.clone()).collect()
}

#[tokio::test]
async fn each_of_many_executions_is_listed_once() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let submissions = (0..MANY).map(async |i| {
        let request = new_task("adder", &adder, "add", numbers(&[f64::from(i), 1.0]));
        (i, submit(&client, request).await)
    });
    let mut accepted = BTreeSet::new();
    for (i, answer) in futures::future::join_all(submissions).await {
        let result = ended(&client, &answer.execution_id).await.unwrap();
        assert_eq!(result.status(), ExecutionStatus::Completed, "{result:?}");
        assert_eq!(returned(&result).unwrap(), Output::Typed(Value::Number(f64::from(i + 1))));
        accepted.insert(answer.execution_id);
    }
    assert_eq!(accepted.len(), MANY as usize);
    for limit in [0, 1, 7, 199, 200, 201, 5_000] {
        let request = ListExecutionsRequest { limit, ..ListExecutionsRequest::default() };
        let listed = ids(&executions(&client, request).await.unwrap());
        assert!(listed.iter().eq(&accepted), "in order, each once, by pages of {limit}: {listed:?}");
    }
}

/// Makes executions of several tasks, in both modes and in every state; returns the ids
/// of three tasks.
async fn mixture(host: &Host, client: &RawClient) -> [String; 3] {
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let add = new_task("adder", &adder, "add", numbers(&[1.0, 2.0]));
    let exits = put_script(host, "exits.wasm", &Script::exits(3));
    let exits = new_task("exits", &exits, "run", vec![]);
    let mut tasks = BTreeSet::new();
    for i in 0..3 {
        let sync = with_id(&format!("a{i}-sync"), add.clone());
        tasks.insert(client.clone().invoke_function(sync).await.unwrap().into_inner().task_id);
        let later = submit(client, with_id(&format!("b{i}-async"), add.clone())).await;
        ended(client, &later.execution_id).await.unwrap();
        tasks.insert(later.task_id);
    }
    assert_eq!(tasks.len(), 1);
    let failed = with_id("c-failed", exits);
    let failed = client.clone().invoke_function(failed).await.unwrap().into_inner().task_id;
    submit(client, with_id("d-cancelled", sleeper("sleep"))).await;
    cancel(client, "d-cancelled").await;
    let spin = guest_artifact("hostile_spin.wasm").unwrap();
    let mut timeout = with_id("e-timeout", new_task("spin", &spin, "run", vec![]));
    timeout.context.get_or_insert_default().timeout_ms = 20;
    client.clone().invoke_function(timeout).await.unwrap();
    let sleep = submit(client, with_id("f-running", sleeper("sleep"))).await.task_id;
    until_status(client, "f-running", ExecutionStatus::Running).await.unwrap();
    submit(client, with_id("g-pending", sleeper("sleep"))).await;
    [tasks.pop_first().unwrap(), failed, sleep]
}

#[tokio::test]
async fn a_listing_can_be_filtered_by_task_and_state() {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let [adder, exits, sleep] = mixture(&host, &client).await;
    let adders = ["a0-sync", "a1-sync", "a2-sync", "b0-async", "b1-async", "b2-async"];
    let all = [&adders[..], &["c-failed", "d-cancelled", "e-timeout", "f-running", "g-pending"]].concat();
    let any = ExecutionStatus::Unknown;
    for (task_id, status, expected) in [
        ("", any, &all[..]),
        (&adder, any, &adders),
        (&exits, any, &["c-failed"]),
        (&sleep, any, &["d-cancelled", "f-running", "g-pending"]),
        ("", ExecutionStatus::Completed, &adders),
        ("", ExecutionStatus::Failed, &["c-failed"]),
        ("", ExecutionStatus::Cancelled, &["d-cancelled"]),
        ("", ExecutionStatus::Timeout, &["e-timeout"]),
        ("", ExecutionStatus::Running, &["f-running"]),
        ("", ExecutionStatus::Pending, &["g-pending"]),
        (&adder, ExecutionStatus::Completed, &adders),
        (&adder, ExecutionStatus::Failed, &[]),
        (&sleep, ExecutionStatus::Pending, &["g-pending"]),
        ("task-none", any, &[]),
    ] {
        for limit in [0, 1, 2, 6] {
            let request = ListExecutionsRequest {
                task_id: task_id.to_owned(),
                status_filter: status.into(),
                limit,
                start_after: String::new(),
            };
            let listed = executions(&client, request).await.unwrap();
            assert_eq!(ids(&listed), expected, "{task_id} {status:?} by pages of {limit}");
        }
    }
    check_lines(&executions(&client, ListExecutionsRequest::default()).await.unwrap(), &adder);
}

/// Checks what a line says about its execution.
fn check_lines(lines: &[ExecutionInfo], adder: &str) {
    let line = |id: &str| lines.iter().find(|line| line.execution_id == id).unwrap();
    let sync = line("a0-sync");
    assert_eq!((sync.task_id.as_str(), sync.function_name.as_str()), (adder, "add"));
    assert_eq!(
        (sync.execution_mode(), line("b0-async").execution_mode()),
        (ExecutionMode::Sync, ExecutionMode::Async)
    );
    assert!(sync.started_at.is_some() && sync.completed_at.is_some(), "{sync:?}");
    assert_eq!((sync.metadata["attempts"].as_str(), sync.metadata.len()), ("1", 1));
    for (id, code) in
        [("c-failed", "GUEST_EXIT"), ("d-cancelled", "CANCELLED"), ("e-timeout", "DEADLINE_EXCEEDED")]
    {
        assert_eq!(line(id).metadata["error_code"], code);
        assert!(!line(id).error_message.is_empty(), "{id}");
    }
    assert!(line("e-timeout").execution_time_ms >= 20);
    assert_eq!((line("f-running").completed_at, line("g-pending").started_at), (None, None));
}

#[tokio::test]
async fn a_page_starts_after_the_given_id() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    for id in ["a", "b", "c", "d"] {
        let request = with_id(id, new_task("adder", &adder, "add", numbers(&[1.0, 2.0])));
        client.invoke_function(request).await.unwrap();
    }
    for (start_after, limit, expected, has_more, next) in [
        ("", 2, &["a", "b"][..], true, "b"),
        ("b", 2, &["c", "d"], false, ""),
        ("a", 2, &["b", "c"], true, "c"),
        ("bb", 1, &["c"], true, "c"),
        ("d", 2, &[], false, ""),
        ("z", 2, &[], false, ""),
        ("0", 4, &["a", "b", "c", "d"], false, ""),
    ] {
        let request = ListExecutionsRequest {
            start_after: start_after.into(),
            limit,
            ..ListExecutionsRequest::default()
        };
        let page = client.list_executions(request).await.unwrap().into_inner();
        assert_eq!(ids(&page.executions), expected, "{limit} after {start_after:?}");
        assert_eq!(
            (page.has_more, page.next_start_after.as_str()),
            (has_more, next),
            "after {start_after:?}"
        );
    }
}
