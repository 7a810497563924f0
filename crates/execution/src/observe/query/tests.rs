//! Tests of queries over synchronous and asynchronous executions.

use crate::testing::fake::{TestHost, call, execution_id, with_id};
use crate::{Invocation, ListQuery, Mode};
use pilum_types::{ExecutionId, State, TenantId};

fn all() -> ListQuery {
    ListQuery { limit: 100, ..ListQuery::default() }
}

async fn list(host: &TestHost, tenant: &str, query: ListQuery) -> Vec<String> {
    let tenant = TenantId::parse(tenant).unwrap();
    let executions = host.executions.query().list(&tenant, &query).await.unwrap();
    executions.iter().map(|execution| execution.id.as_str().to_owned()).collect()
}

/// `a`, `c` and `e` are synchronous, the others asynchronous. `e` has failed, `f` waits, `g` runs.
async fn host_with_executions() -> TestHost {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    for (id, function) in [("e", "trap"), ("a", "echo"), ("c", "echo")] {
        host.finish(with_id(id, call(function))).await;
    }
    for id in ["d", "b"] {
        let id = host.submit(with_id(id, call("echo"))).await;
        host.wait_for(&id, State::Completed).await;
    }
    host.submit(with_id("g", call("gate"))).await;
    host.fake.wait_for_runs(6).await;
    host.submit(with_id("f", call("echo"))).await;
    host
}

#[tokio::test(start_paused = true)]
async fn listings_merge_synchronous_and_asynchronous_executions_in_order() {
    let host = host_with_executions().await;
    assert_eq!(list(&host, "default", all()).await, ["a", "b", "c", "d", "e", "f", "g"]);
    let mut seen = Vec::new();
    let mut start_after: Option<ExecutionId> = None;
    loop {
        let page = list(&host, "default", ListQuery { start_after, limit: 2, ..all() }).await;
        let Some(last) = page.last() else { break };
        start_after = Some(execution_id(last));
        seen.extend(page);
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(list(&host, "default", ListQuery { limit: 0, ..all() }).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn listings_are_filtered() {
    let host = host_with_executions().await;
    let by_state = async |state| list(&host, "default", ListQuery { state: Some(state), ..all() }).await;
    assert_eq!(by_state(State::Completed).await, ["a", "b", "c", "d"]);
    assert_eq!(by_state(State::Failed).await, ["e"]);
    assert_eq!(by_state(State::Pending).await, ["f"]);
    assert_eq!(by_state(State::Running).await, ["g"]);
    let task_id = host.get(&execution_id("a")).await.unwrap().task_id.clone();
    let of_task = |task_id| ListQuery { task_id: Some(task_id), ..all() };
    assert_eq!(list(&host, "default", of_task(task_id)).await.len(), 7);
    assert_eq!(list(&host, "default", of_task(crate::ctx::ids::task(std::time::UNIX_EPOCH))).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn executions_of_another_tenant_are_unknown() {
    let host = host_with_executions().await;
    assert_eq!(list(&host, "b", all()).await, [""; 0]);
    let other_tenant = TenantId::parse("b").unwrap();
    for id in ["a", "b", "f", "g", "none"] {
        assert!(host.executions.query().execution(&other_tenant, &execution_id(id)).await.unwrap().is_none());
    }
    host.submit(Invocation { tenant: other_tenant, mode: Mode::Async, ..call("echo") }).await;
    assert_eq!(list(&host, "b", all()).await.len(), 1);
    assert_eq!(host.executions.tasks().list(&TenantId::parse("c").unwrap(), "", "", 9).len(), 0);
    assert_eq!(host.executions.query().calls_by_function(&TenantId::parse("c").unwrap(), 9), []);
}

#[tokio::test(start_paused = true)]
async fn counters_add_up() {
    let host = host_with_executions().await;
    let stats = host.executions.query().stats().await.unwrap();
    assert_eq!((stats.completed, stats.failed, stats.cancelled, stats.timed_out), (4, 1, 0, 0));
    assert_eq!((stats.running, stats.pending, stats.sync_slots_in_use), (1, 1, 0));
    assert_eq!((stats.tasks, stats.refused), (1, 0));
    let calls = host.executions.query().calls_by_function(&TenantId::default(), 9);
    assert_eq!(calls, [("echo".to_owned(), 4), ("trap".to_owned(), 1)]);
    let view = &host.executions.tasks().list(&TenantId::default(), "", "", 9)[0];
    assert_eq!((view.execution_count, view.last_state), (7, Some(State::Completed)));
}
