//! Tests of deletions, in paused time.

use super::*;
use crate::testing::fake::{TestHost, call, execution_id, sleep, with_id};
use crate::{Invocation, Mode};

async fn delete(host: &TestHost, id: &TaskId, force: bool, cleanup: bool) -> DeleteResult {
    host.executions.deletion().delete_task(&TenantId::default(), id, force, cleanup).await.unwrap()
}

fn task_id(host: &TestHost) -> TaskId {
    host.executions.tasks().list(&TenantId::default(), "t", "", 1)[0].task.id.clone()
}

#[tokio::test(start_paused = true)]
async fn a_busy_task_is_deleted_only_by_force() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = host.spawn(with_id("mine", call("gate")));
    let running = host.submit(call("gate")).await;
    host.fake.wait_for_runs(2).await;
    let pending = host.submit(call("echo")).await;
    let task = task_id(&host);
    assert_eq!(delete(&host, &task, false, true).await, DeleteResult::Busy { active: 3 });
    assert_eq!(host.task_names(), ["t"]);

    assert_eq!(delete(&host, &task, true, false).await, DeleteResult::Done { cleaned_executions: 0 });
    for id in [&running, &pending, &execution_id("mine")] {
        let execution = host.get(id).await.unwrap();
        assert_eq!(execution.failure().unwrap().message, "the task was deleted");
        assert_eq!(execution.state, State::Cancelled);
    }
    called.await.unwrap().unwrap();
    assert_eq!(delete(&host, &task, true, false).await, DeleteResult::Unknown);
    assert!(host.executions.tasks().get(&TenantId::default(), &task).is_none());
    let of_deleted =
        Invocation { target: crate::Target::Existing { id: task, otherwise: None }, ..call("echo") };
    assert!(matches!(host.invoke(of_deleted).await, Err(RequestError::TaskNotFound { .. })));
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_removes_ended_executions_on_request() {
    let host = TestHost::new();
    let called = host.finish(call("echo")).await;
    let submitted = host.submit(call("echo")).await;
    host.wait_for(&submitted, State::Completed).await;
    let other_tenant = host
        .executions
        .deletion()
        .delete_task(&TenantId::parse("b").unwrap(), &called.task_id, true, true)
        .await;
    assert_eq!(other_tenant.unwrap(), DeleteResult::Unknown);
    let running = host.spawn(call("gate"));
    host.fake.wait_for_runs(3).await;
    assert_eq!(
        delete(&host, &called.task_id, true, true).await,
        DeleteResult::Done { cleaned_executions: 3 }
    );
    assert!(host.get(&called.id).await.is_none());
    assert!(host.get(&submitted).await.is_none());
    running.await.unwrap().unwrap();
    // Other code may use the name now.
    let other = crate::Target::New(crate::testing::fake::spec("t", "file:b"));
    host.finish(Invocation { target: other, ..call("echo") }).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_admitted_while_its_task_is_deleted_does_not_run() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    let blocker = host.spawn(sleep(1_000));
    host.fake.wait_for_runs(1).await;
    let waiting = host.spawn(with_id("mine", call("echo")));
    while host.executions.sync_executions().get(&TenantId::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    delete(&host, &task_id(&host), true, false).await;
    blocker.await.unwrap().unwrap();
    let refused = waiting.await.unwrap();
    assert!(matches!(refused, Err(RequestError::TaskNotFound { .. })), "{refused:?}");
    assert_eq!(host.fake.runs(), 1);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn several_pages_of_executions_are_cancelled() {
    let count = 2 * PAGE + 1;
    let host = TestHost::with(|s| {
        s.asynchronous.max_concurrent_executions = 0;
        s.asynchronous.max_queue_size = count;
    });
    for _ in 0..count {
        host.submit(Invocation { mode: Mode::Async, ..call("echo") }).await;
    }
    let task = task_id(&host);
    assert_eq!(delete(&host, &task, false, false).await, DeleteResult::Busy { active: count });
    assert_eq!(delete(&host, &task, true, true).await, DeleteResult::Done { cleaned_executions: count });
    assert_eq!(host.executions.query().stats().await.unwrap().pending, 0);
}
