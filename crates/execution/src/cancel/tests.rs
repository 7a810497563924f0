//! Tests of cancellations, in paused time.

use super::*;
use crate::testing::fake::{TestHost, call, execution_id, with_id};
use crate::{Invocation, Reply};
use futures::FutureExt as _;
use pilum_types::FailureCode;
use std::sync::atomic::Ordering::SeqCst;

async fn cancel(host: &TestHost, id: &ExecutionId, force: bool) -> CancelResult {
    host.executions.cancellation().cancel(&TenantId::default(), id, "enough", force).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_running_call_is_cancelled_only_by_force() {
    let host = TestHost::new();
    let running = host.spawn(with_id("mine", call("gate")));
    host.fake.wait_for_runs(1).await;
    let id = execution_id("mine");
    assert_eq!(cancel(&host, &id, false).await, CancelResult::NeedsForce);
    assert_eq!(host.fake.inside.load(SeqCst), 1);
    assert_eq!(cancel(&host, &id, true).await, CancelResult::Done);
    assert_eq!(host.fake.inside.load(SeqCst), 0, "the guest has stopped before the answer");
    let Ok(Reply::Finished(execution)) = running.await.unwrap() else { panic!("no end") };
    let failure = execution.failure().unwrap();
    assert_eq!((execution.state, failure.code), (State::Cancelled, FailureCode::Cancelled));
    assert_eq!(failure.message, "enough");
    assert_eq!(cancel(&host, &id, true).await, CancelResult::AlreadyEnded(State::Cancelled));
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_call_is_cancelled_in_every_state() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let running = host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let pending = host.submit(call("echo")).await;
    assert_eq!(cancel(&host, &pending, false).await, CancelResult::Done);
    let execution = host.get(&pending).await.unwrap();
    assert_eq!(
        (execution.state, execution.failure().unwrap().message.as_str()),
        (State::Cancelled, "enough")
    );
    assert_eq!(cancel(&host, &pending, true).await, CancelResult::AlreadyEnded(State::Cancelled));

    assert_eq!(cancel(&host, &running, false).await, CancelResult::NeedsForce);
    assert_eq!(cancel(&host, &running, true).await, CancelResult::Done);
    assert_eq!(host.get(&running).await.unwrap().state, State::Cancelled);
    assert_eq!(cancel(&host, &running, false).await, CancelResult::AlreadyEnded(State::Cancelled));

    let done = host.submit(call("echo")).await;
    host.wait_for(&done, State::Completed).await;
    assert_eq!(cancel(&host, &done, true).await, CancelResult::AlreadyEnded(State::Completed));
    assert_eq!(host.executions.query().stats().await.unwrap().cancelled, 2);
    assert_eq!(host.executions.query().calls_by_function(&TenantId::default(), 1), [("echo".to_owned(), 2)]);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_cannot_cancel_executions_of_another_tenant() {
    let host = TestHost::new();
    let submitted = host.submit(call("gate")).await;
    let called = host.spawn(with_id("mine", call("gate")));
    host.fake.wait_for_runs(2).await;
    let other_tenant = TenantId::parse("b").unwrap();
    for id in [&submitted, &execution_id("mine"), &execution_id("none")] {
        let cancelled = host.executions.cancellation().cancel(&other_tenant, id, "", true).await.unwrap();
        assert_eq!(cancelled, CancelResult::Unknown);
    }
    host.fake.open_gate(2);
    called.await.unwrap().unwrap();
    host.wait_for(&submitted, State::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_between_attempts_ends_the_execution() {
    let host = TestHost::new();
    host.fake.failures.store(9, SeqCst);
    let id = host.submit(call("flaky")).await;
    host.fake.wait_for_runs(1).await;
    assert_eq!(cancel(&host, &id, true).await, CancelResult::Done);
    let runs = host.fake.runs();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(host.fake.runs(), runs, "no attempt runs after the cancellation");
    host.assert_nothing_held();
}

/// A cancellation may come between a worker's claim and its run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_answer_to_a_cancellation_agrees_with_the_final_state() {
    let host = TestHost::new();
    for i in 0..500_u64 {
        let id = host.submit(call(if i % 2 == 0 { "gate" } else { "echo" })).await;
        if i % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(i)).await;
        }
        let cancelled = cancel(&host, &id, true).await;
        let state = host.get(&id).await.unwrap().state;
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
async fn a_cancellation_fails_if_the_call_does_not_stop() {
    let host = TestHost::new();
    let mut stuck = std::pin::pin!(host.invoke(with_id("mine", call("gate"))));
    // Polled once and never again, so it does not see the cancellation.
    assert!(stuck.as_mut().now_or_never().is_none());
    let refused =
        host.executions.cancellation().cancel(&TenantId::default(), &execution_id("mine"), "", true).await;
    assert!(matches!(refused, Err(RequestError::Internal(_))), "{refused:?}");
}

/// Callers go away and executions are cancelled in every way and at every step of a call.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_cancellations_lose_no_slot() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 2);
    host.finish(call("echo")).await;
    for round in 0..25_000_u32 {
        // A caller whose future is polled a few times and then dropped.
        {
            let mut dropped = std::pin::pin!(host.invoke(call("gate")));
            for _ in 0..round % 3 {
                assert!(dropped.as_mut().now_or_never().is_none());
            }
        }
        // An execution that runs or is about to run is cancelled by force.
        let running = host.submit(call("gate")).await;
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&host, &running, true).await, CancelResult::Done);
        // An execution that waits for its retry, or soon will, is cancelled.
        host.fake.failures.store(9, SeqCst);
        let retried = host.submit(call("flaky")).await;
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(cancel(&host, &retried, true).await, CancelResult::Done);
        // A delayed execution is cancelled.
        let not_before = Some(host.executions.ctx().clock.now() + Duration::from_secs(60));
        let schedule = crate::Schedule { not_before, ..crate::Schedule::default() };
        let pending = host.submit(Invocation { schedule, ..call("echo") }).await;
        assert_eq!(cancel(&host, &pending, false).await, CancelResult::Done);
    }
    while host.executions.queue().claimed() > 0 {
        tokio::task::yield_now().await;
    }
    host.assert_nothing_held();
    assert_eq!(host.executions.queue().runners_and_active(), (2, 0), "all runners are free");
    let last = host.submit(call("echo")).await;
    host.wait_for(&last, State::Completed).await;
}
