//! Cancelling and deleting under paused time.

use super::*;
use crate::fake::{Rig, call, execution_id, sleep, under};
use crate::{Invocation, Mode, Reply};
use futures::FutureExt as _;
use pilum_types::FailureCode;
use std::sync::atomic::Ordering::SeqCst;

async fn cancel(rig: &Rig, id: &ExecutionId, force: bool) -> CancelResult {
    rig.executions.cancel(&TenantId::default(), id, "enough", force).await.unwrap()
}

async fn delete(rig: &Rig, id: &TaskId, force: bool, cleanup: bool) -> DeleteResult {
    rig.executions.delete_task(&TenantId::default(), id, force, cleanup).await.unwrap()
}

fn task_id(rig: &Rig) -> TaskId {
    rig.executions.list_tasks(&TenantId::default(), "t", "", 1)[0].task.id.clone()
}

#[tokio::test(start_paused = true)]
async fn a_running_call_is_cancelled_only_by_force() {
    let rig = Rig::new();
    let running = rig.spawn(under("mine", call("gate")));
    rig.fake.entered(1).await;
    let id = execution_id("mine");
    assert_eq!(cancel(&rig, &id, false).await, CancelResult::NeedsForce);
    assert_eq!(rig.fake.inside.load(SeqCst), 1);
    assert_eq!(cancel(&rig, &id, true).await, CancelResult::Done);
    assert_eq!(rig.fake.inside.load(SeqCst), 0, "the guest is gone by the time of the answer");
    let Ok(Reply::Finished(execution)) = running.await.unwrap() else { panic!("no end") };
    let failure = execution.failure().unwrap();
    assert_eq!((execution.state, failure.code), (State::Cancelled, FailureCode::Cancelled));
    assert_eq!(failure.message, "enough");
    assert_eq!(cancel(&rig, &id, true).await, CancelResult::AlreadyEnded(State::Cancelled));
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn an_accepted_call_is_cancelled_in_every_state() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let running = rig.accept(call("gate")).await;
    rig.fake.entered(1).await;
    let pending = rig.accept(call("echo")).await;
    assert_eq!(cancel(&rig, &pending, false).await, CancelResult::Done);
    let execution = rig.get(&pending).await.unwrap();
    assert_eq!(
        (execution.state, execution.failure().unwrap().message.as_str()),
        (State::Cancelled, "enough")
    );
    assert_eq!(cancel(&rig, &pending, true).await, CancelResult::AlreadyEnded(State::Cancelled));

    assert_eq!(cancel(&rig, &running, false).await, CancelResult::NeedsForce);
    assert_eq!(cancel(&rig, &running, true).await, CancelResult::Done);
    assert_eq!(rig.get(&running).await.unwrap().state, State::Cancelled);
    assert_eq!(cancel(&rig, &running, false).await, CancelResult::AlreadyEnded(State::Cancelled));

    let done = rig.accept(call("echo")).await;
    rig.reaches(&done, State::Completed).await;
    assert_eq!(cancel(&rig, &done, true).await, CancelResult::AlreadyEnded(State::Completed));
    assert_eq!(rig.executions.stats().await.unwrap().cancelled, 2);
    assert_eq!(rig.executions.calls_by_function(&TenantId::default(), 1), [("echo".to_owned(), 2)]);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn nobody_cancels_what_is_not_theirs() {
    let rig = Rig::new();
    let accepted = rig.accept(call("gate")).await;
    let called = rig.spawn(under("mine", call("gate")));
    rig.fake.entered(2).await;
    let stranger = TenantId::parse("b").unwrap();
    for id in [&accepted, &execution_id("mine"), &execution_id("none")] {
        let cancelled = rig.executions.cancel(&stranger, id, "", true).await.unwrap();
        assert_eq!(cancelled, CancelResult::Unknown);
    }
    rig.fake.open(2);
    called.await.unwrap().unwrap();
    rig.reaches(&accepted, State::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_between_attempts_ends_it() {
    let rig = Rig::new();
    rig.fake.failures.store(9, SeqCst);
    let id = rig.accept(call("flaky")).await;
    rig.fake.entered(1).await;
    assert_eq!(cancel(&rig, &id, true).await, CancelResult::Done);
    let runs = rig.fake.runs();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(rig.fake.runs(), runs, "nothing runs after that");
    rig.assert_idle();
}

/// A cancellation may come between a worker's claim and its run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancellation_at_any_moment_is_answered_truly() {
    let rig = Rig::new();
    for i in 0..500_u64 {
        let id = rig.accept(call(if i % 2 == 0 { "gate" } else { "echo" })).await;
        if i % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(i)).await;
        }
        let cancelled = cancel(&rig, &id, true).await;
        let state = rig.get(&id).await.unwrap().state;
        match cancelled {
            CancelResult::Done => assert_eq!(state, State::Cancelled),
            CancelResult::AlreadyEnded(ended) => {
                assert_eq!((state, ended), (State::Completed, State::Completed));
            }
            CancelResult::NeedsForce | CancelResult::Unknown => panic!("{cancelled:?} in {state}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_is_not_called_stopped() {
    let rig = Rig::new();
    let mut stuck = std::pin::pin!(rig.invoke(under("mine", call("gate"))));
    // Polled once and never again: it cannot hear the cancellation.
    assert!(stuck.as_mut().now_or_never().is_none());
    let refused = rig.executions.cancel(&TenantId::default(), &execution_id("mine"), "", true).await;
    assert!(matches!(refused, Err(RequestError::Internal(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_task_is_deleted_only_by_force() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = rig.spawn(under("mine", call("gate")));
    let running = rig.accept(call("gate")).await;
    rig.fake.entered(2).await;
    let pending = rig.accept(call("echo")).await;
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
    assert!(rig.executions.task(&TenantId::default(), &task).is_none());
    let gone = Invocation { target: crate::Target::Existing { id: task, otherwise: None }, ..call("echo") };
    assert!(matches!(rig.invoke(gone).await, Err(RequestError::TaskNotFound { .. })));
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_forgets_executions_if_asked() {
    let rig = Rig::new();
    let called = rig.finish(call("echo")).await;
    let accepted = rig.accept(call("echo")).await;
    rig.reaches(&accepted, State::Completed).await;
    let stranger =
        rig.executions.delete_task(&TenantId::parse("b").unwrap(), &called.task_id, true, true).await;
    assert_eq!(stranger.unwrap(), DeleteResult::Unknown);
    let running = rig.spawn(call("gate"));
    rig.fake.entered(3).await;
    assert_eq!(delete(&rig, &called.task_id, true, true).await, DeleteResult::Done { cleaned_executions: 3 });
    assert!(rig.get(&called.id).await.is_none());
    assert!(rig.get(&accepted).await.is_none());
    running.await.unwrap().unwrap();
    // The name is free again, for other code.
    let other = crate::Target::New(crate::fake::spec("t", "file:b"));
    rig.finish(Invocation { target: other, ..call("echo") }).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_admitted_while_its_task_is_deleted_does_not_run() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let blocker = rig.spawn(sleep(1_000));
    rig.fake.entered(1).await;
    let waiting = rig.spawn(under("mine", call("echo")));
    while rig.executions.core.ledger.get(&TenantId::default(), &execution_id("mine")).is_none() {
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
        rig.accept(Invocation { mode: Mode::Async, ..call("echo") }).await;
    }
    let task = task_id(&rig);
    assert_eq!(delete(&rig, &task, false, false).await, DeleteResult::Busy { active: many });
    assert_eq!(delete(&rig, &task, true, true).await, DeleteResult::Done { cleaned_executions: many });
    assert_eq!(rig.executions.stats().await.unwrap().pending, 0);
}

/// As many as HAZARDS has it: callers that go away and cancellations of every
/// kind, at every point a call can be at.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_cancellations_lose_no_slot() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 2);
    rig.finish(call("echo")).await;
    for round in 0..25_000_u32 {
        // A caller that is polled some times and goes away.
        {
            let mut gone = std::pin::pin!(rig.invoke(call("gate")));
            for _ in 0..round % 3 {
                assert!(gone.as_mut().now_or_never().is_none());
            }
        }
        // One that runs, by force.
        let running = rig.accept(call("gate")).await;
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&rig, &running, true).await, CancelResult::Done);
        // One that waits for a retry, or is about to.
        rig.fake.failures.store(9, SeqCst);
        let retried = rig.accept(call("flaky")).await;
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&rig, &retried, true).await, CancelResult::Done);
        // One that is put off.
        let not_before = Some(rig.executions.core.clock.now() + Duration::from_secs(60));
        let schedule = crate::Schedule { not_before, ..crate::Schedule::default() };
        let pending = rig.accept(Invocation { schedule, ..call("echo") }).await;
        assert_eq!(cancel(&rig, &pending, false).await, CancelResult::Done);
    }
    while rig.executions.core.held.count() > 0 {
        tokio::task::yield_now().await;
    }
    rig.assert_idle();
    let core = &rig.executions.core;
    assert_eq!((core.runners.available_permits(), core.active.count()), (2, 0), "runners are lost");
    let last = rig.accept(call("echo")).await;
    rig.reaches(&last, State::Completed).await;
}
