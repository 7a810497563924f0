//! Cancelling under paused time.

use super::*;
use crate::testing::fake::{Rig, call, execution_id, under};
use crate::{Invocation, Reply};
use futures::FutureExt as _;
use pilum_types::FailureCode;
use std::sync::atomic::Ordering::SeqCst;

async fn cancel(rig: &Rig, id: &ExecutionId, force: bool) -> CancelResult {
    rig.executions.cancellation().cancel(&TenantId::default(), id, "enough", force).await.unwrap()
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
    let running = rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let pending = rig.submit(call("echo")).await;
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

    let done = rig.submit(call("echo")).await;
    rig.reaches(&done, State::Completed).await;
    assert_eq!(cancel(&rig, &done, true).await, CancelResult::AlreadyEnded(State::Completed));
    assert_eq!(rig.executions.query().stats().await.unwrap().cancelled, 2);
    assert_eq!(rig.executions.query().calls_by_function(&TenantId::default(), 1), [("echo".to_owned(), 2)]);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn nobody_cancels_what_is_not_theirs() {
    let rig = Rig::new();
    let accepted = rig.submit(call("gate")).await;
    let called = rig.spawn(under("mine", call("gate")));
    rig.fake.entered(2).await;
    let stranger = TenantId::parse("b").unwrap();
    for id in [&accepted, &execution_id("mine"), &execution_id("none")] {
        let cancelled = rig.executions.cancellation().cancel(&stranger, id, "", true).await.unwrap();
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
    let id = rig.submit(call("flaky")).await;
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
        let id = rig.submit(call(if i % 2 == 0 { "gate" } else { "echo" })).await;
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
    let refused =
        rig.executions.cancellation().cancel(&TenantId::default(), &execution_id("mine"), "", true).await;
    assert!(matches!(refused, Err(RequestError::Internal(_))), "{refused:?}");
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
        let running = rig.submit(call("gate")).await;
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&rig, &running, true).await, CancelResult::Done);
        // One that waits for a retry, or is about to.
        rig.fake.failures.store(9, SeqCst);
        let retried = rig.submit(call("flaky")).await;
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&rig, &retried, true).await, CancelResult::Done);
        // One that is put off.
        let not_before = Some(rig.executions.ctx().clock.now() + Duration::from_secs(60));
        let schedule = crate::Schedule { not_before, ..crate::Schedule::default() };
        let pending = rig.submit(Invocation { schedule, ..call("echo") }).await;
        assert_eq!(cancel(&rig, &pending, false).await, CancelResult::Done);
    }
    while rig.executions.queue().held() > 0 {
        tokio::task::yield_now().await;
    }
    rig.assert_idle();
    assert_eq!(rig.executions.queue().runners_and_active(), (2, 0), "runners are lost");
    let last = rig.submit(call("echo")).await;
    rig.reaches(&last, State::Completed).await;
}
