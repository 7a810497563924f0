//! Both doors' executions, looked up as one.

use crate::testing::fake::{Rig, call, execution_id, under};
use crate::{Invocation, ListQuery, Mode};
use pilum_types::{ExecutionId, State, TenantId};

fn all() -> ListQuery {
    ListQuery { limit: 100, ..ListQuery::default() }
}

async fn list(rig: &Rig, tenant: &str, query: ListQuery) -> Vec<String> {
    let tenant = TenantId::parse(tenant).unwrap();
    let executions = rig.executions.query().list(&tenant, &query).await.unwrap();
    executions.iter().map(|execution| execution.id.as_str().to_owned()).collect()
}

/// `a`, `c`, `e` called, `b`, `d`, `f` accepted; `e` failed, `f` waits.
async fn rig() -> Rig {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    for (id, function) in [("e", "trap"), ("a", "echo"), ("c", "echo")] {
        rig.finish(under(id, call(function))).await;
    }
    for id in ["d", "b"] {
        let id = rig.submit(under(id, call("echo"))).await;
        rig.reaches(&id, State::Completed).await;
    }
    rig.submit(under("g", call("gate"))).await;
    rig.fake.entered(6).await;
    rig.submit(under("f", call("echo"))).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn listings_merge_both_doors_in_order() {
    let rig = rig().await;
    assert_eq!(list(&rig, "default", all()).await, ["a", "b", "c", "d", "e", "f", "g"]);
    let mut seen = Vec::new();
    let mut start_after: Option<ExecutionId> = None;
    loop {
        let page = list(&rig, "default", ListQuery { start_after, limit: 2, ..all() }).await;
        let Some(last) = page.last() else { break };
        start_after = Some(execution_id(last));
        seen.extend(page);
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(list(&rig, "default", ListQuery { limit: 0, ..all() }).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn listings_are_filtered() {
    let rig = rig().await;
    let by_state = async |state| list(&rig, "default", ListQuery { state: Some(state), ..all() }).await;
    assert_eq!(by_state(State::Completed).await, ["a", "b", "c", "d"]);
    assert_eq!(by_state(State::Failed).await, ["e"]);
    assert_eq!(by_state(State::Pending).await, ["f"]);
    assert_eq!(by_state(State::Running).await, ["g"]);
    let task_id = rig.get(&execution_id("a")).await.unwrap().task_id.clone();
    let of_task = |task_id| ListQuery { task_id: Some(task_id), ..all() };
    assert_eq!(list(&rig, "default", of_task(task_id)).await.len(), 7);
    assert_eq!(list(&rig, "default", of_task(crate::ctx::ids::task(std::time::UNIX_EPOCH))).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_tenants_executions_are_as_good_as_none() {
    let rig = rig().await;
    assert_eq!(list(&rig, "b", all()).await, [""; 0]);
    let stranger = TenantId::parse("b").unwrap();
    for id in ["a", "b", "f", "g", "none"] {
        assert!(rig.executions.query().execution(&stranger, &execution_id(id)).await.unwrap().is_none());
    }
    rig.submit(Invocation { tenant: stranger, mode: Mode::Async, ..call("echo") }).await;
    assert_eq!(list(&rig, "b", all()).await.len(), 1);
    assert_eq!(rig.executions.tasks().list(&TenantId::parse("c").unwrap(), "", "", 9).len(), 0);
    assert_eq!(rig.executions.query().calls_by_function(&TenantId::parse("c").unwrap(), 9), []);
}

#[tokio::test(start_paused = true)]
async fn counters_add_up() {
    let rig = rig().await;
    let stats = rig.executions.query().stats().await.unwrap();
    assert_eq!((stats.completed, stats.failed, stats.cancelled, stats.timed_out), (4, 1, 0, 0));
    assert_eq!((stats.running, stats.pending, stats.sync_slots_in_use), (1, 1, 0));
    assert_eq!((stats.tasks, stats.refused), (1, 0));
    let calls = rig.executions.query().calls_by_function(&TenantId::default(), 9);
    assert_eq!(calls, [("echo".to_owned(), 4), ("trap".to_owned(), 1)]);
    let view = &rig.executions.tasks().list(&TenantId::default(), "", "", 9)[0];
    assert_eq!((view.execution_count, view.last_state), (7, Some(State::Completed)));
}
