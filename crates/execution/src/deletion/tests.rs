//! Deleting under paused time.

use super::*;
use crate::testing::fake::{Rig, call, execution_id, sleep, under};
use crate::{Invocation, Mode};

async fn delete(rig: &Rig, id: &TaskId, force: bool, cleanup: bool) -> DeleteResult {
    rig.executions.deletion().delete_task(&TenantId::default(), id, force, cleanup).await.unwrap()
}

fn task_id(rig: &Rig) -> TaskId {
    rig.executions.tasks().list(&TenantId::default(), "t", "", 1)[0].task.id.clone()
}

#[tokio::test(start_paused = true)]
async fn a_busy_task_is_deleted_only_by_force() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = rig.spawn(under("mine", call("gate")));
    let running = rig.submit(call("gate")).await;
    rig.fake.entered(2).await;
    let pending = rig.submit(call("echo")).await;
    let task = task_id(&rig);
    assert_eq!(delete(&rig, &task, false, true).await, DeleteResult::Busy { active: 3 });
    assert_eq!(rig.task_names(), ["t"]);

    assert_eq!(delete(&rig, &task, true, false).await, DeleteResult::Done { cleaned_executions: 0 });
    for id in [&running, &pending, &execution_id("mine")] {
        let execution = rig.get(id).await.unwrap();
        assert_eq!(execution.failure().unwrap().message, "the task was deleted");
        assert_eq!(execution.state, State::Cancelled);
    }
    called.await.unwrap().unwrap();
    assert_eq!(delete(&rig, &task, true, false).await, DeleteResult::Unknown);
    assert!(rig.executions.tasks().get(&TenantId::default(), &task).is_none());
    let gone = Invocation { target: crate::Target::Existing { id: task, otherwise: None }, ..call("echo") };
    assert!(matches!(rig.invoke(gone).await, Err(RequestError::TaskNotFound { .. })));
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_forgets_executions_if_asked() {
    let rig = Rig::new();
    let called = rig.finish(call("echo")).await;
    let accepted = rig.submit(call("echo")).await;
    rig.reaches(&accepted, State::Completed).await;
    let stranger = rig
        .executions
        .deletion()
        .delete_task(&TenantId::parse("b").unwrap(), &called.task_id, true, true)
        .await;
    assert_eq!(stranger.unwrap(), DeleteResult::Unknown);
    let running = rig.spawn(call("gate"));
    rig.fake.entered(3).await;
    assert_eq!(delete(&rig, &called.task_id, true, true).await, DeleteResult::Done { cleaned_executions: 3 });
    assert!(rig.get(&called.id).await.is_none());
    assert!(rig.get(&accepted).await.is_none());
    running.await.unwrap().unwrap();
    // The name is free again, for other code.
    let other = crate::Target::New(crate::testing::fake::spec("t", "file:b"));
    rig.finish(Invocation { target: other, ..call("echo") }).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_admitted_while_its_task_is_deleted_does_not_run() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let blocker = rig.spawn(sleep(1_000));
    rig.fake.entered(1).await;
    let waiting = rig.spawn(under("mine", call("echo")));
    while rig.executions.sync_executions().get(&TenantId::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    delete(&rig, &task_id(&rig), true, false).await;
    blocker.await.unwrap().unwrap();
    let refused = waiting.await.unwrap();
    assert!(matches!(refused, Err(RequestError::TaskNotFound { .. })), "{refused:?}");
    assert_eq!(rig.fake.runs(), 1);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn more_executions_than_a_page_are_cancelled() {
    let many = 2 * PAGE + 1;
    let rig = Rig::with(|s| {
        s.asynchronous.max_concurrent_executions = 0;
        s.asynchronous.max_queue_size = many;
    });
    for _ in 0..many {
        rig.submit(Invocation { mode: Mode::Async, ..call("echo") }).await;
    }
    let task = task_id(&rig);
    assert_eq!(delete(&rig, &task, false, false).await, DeleteResult::Busy { active: many });
    assert_eq!(delete(&rig, &task, true, true).await, DeleteResult::Done { cleaned_executions: many });
    assert_eq!(rig.executions.query().stats().await.unwrap().pending, 0);
}
