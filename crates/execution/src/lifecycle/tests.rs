//! Tests of the shutdown, in paused time.

use crate::testing::fake::{TestHost, call, execution_id, sleep, spawn, with_id};
use crate::{Invocation, Mode, Reply, RequestError};
use futures::FutureExt as _;
use pilum_store::WorkQueue as _;
use pilum_types::{FailureCode, State};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn drain(host: &TestHost, bound: Duration) -> tokio::task::JoinHandle<Duration> {
    let executions = Arc::clone(&host.executions);
    let began = Instant::now();
    spawn(async move {
        executions.drain(bound).await;
        began.elapsed()
    })
}

/// Asserts that synchronous and asynchronous calls are refused.
async fn assert_refused(host: &TestHost) {
    for mode in [Mode::Sync, Mode::Async] {
        let refused = host.invoke(Invocation { mode, ..call("echo") }).await;
        assert!(matches!(refused, Err(RequestError::Draining)), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_host_drains_at_once() {
    let host = TestHost::new();
    assert!(!host.executions.is_draining());
    assert_eq!(drain(&host, 10 * SECOND).await.unwrap(), Duration::ZERO);
    assert!(host.executions.is_draining());
    assert_refused(&host).await;
    assert!(host.executions.lifecycle().tracker.is_empty(), "no task is left");
    host.executions.drain(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_running_executions_and_leaves_pending_ones() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = host.spawn(sleep(3_000));
    let running = host.submit(sleep(4_000)).await;
    host.fake.wait_for_runs(2).await;
    let pending = host.submit(call("echo")).await;
    let drained = drain(&host, 10 * SECOND);
    while !host.executions.is_draining() {
        tokio::task::yield_now().await;
    }
    assert_refused(&host).await;
    assert_eq!(drained.await.unwrap(), 4 * SECOND, "the drain ends with the last execution");
    assert!(matches!(called.await.unwrap(), Ok(Reply::Finished(e)) if e.state == State::Completed));
    assert_eq!(host.get(&running).await.unwrap().state, State::Completed);
    assert_eq!(host.get(&pending).await.unwrap().state, State::Pending, "the execution is still stored");
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn executions_that_outlast_the_drain_are_stopped_or_handed_back() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = host.spawn(call("gate"));
    let running = host.submit(call("gate")).await;
    host.fake.wait_for_runs(2).await;
    assert_eq!(drain(&host, 10 * SECOND).await.unwrap(), 10 * SECOND);
    assert_eq!(host.fake.inside.load(SeqCst), 0);

    let Ok(Reply::Finished(execution)) = called.await.unwrap() else { panic!("no end") };
    let failure = execution.failure().unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Cancelled, "the host was shut down"));
    let handed_back = host.get(&running).await.unwrap();
    assert_eq!((handed_back.state, handed_back.attempts.len()), (State::Pending, 1));
    assert_eq!(handed_back.attempts[0].failure.as_ref().unwrap().code, FailureCode::WorkerLost);
    // The next start can claim the execution at once.
    let ctx = host.executions.ctx();
    let claimed = ctx.store.claim(ctx.clock.now(), SECOND, 1).await.unwrap();
    assert_eq!(claimed.leases[0].attempt, 2);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_is_refused() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    let running = host.spawn(sleep(1_000));
    host.fake.wait_for_runs(1).await;
    let waiting = host.spawn(with_id("mine", call("echo")));
    while host.executions.sync_executions().get(&Default::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(drain(&host, 10 * SECOND).await.unwrap(), SECOND);
    assert!(matches!(waiting.await.unwrap(), Err(RequestError::Draining)));
    assert!(running.await.unwrap().is_ok());
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_being_prepared_is_refused() {
    let host = TestHost::new();
    *host.fake.prepare_takes.lock().unwrap() = SECOND;
    let sync_call = host.spawn(call("echo"));
    let async_call = host.spawn(Invocation { mode: Mode::Async, ..call("echo") });
    while host.fake.prepares.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    drain(&host, 10 * SECOND).await.unwrap();
    assert!(matches!(sync_call.await.unwrap(), Err(RequestError::Draining)));
    assert!(matches!(async_call.await.unwrap(), Err(RequestError::Draining)));
    assert!(host.task_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_ever_for_a_stuck_call() {
    let host = TestHost::new();
    let mut stuck = std::pin::pin!(host.invoke(call("gate")));
    // Polled once and never again, so it cannot end.
    assert!(stuck.as_mut().now_or_never().is_none());
    assert_eq!(drain(&host, SECOND).await.unwrap(), SECOND + super::STOP_WAIT);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_everything() {
    let TestHost { fake, executions } = TestHost::new();
    let host = TestHost { fake: fake.clone(), executions };
    host.submit(call("gate")).await;
    fake.wait_for_runs(1).await;
    let tracker = host.executions.lifecycle().tracker.clone();
    drop(host);
    tracker.wait().await;
    assert_eq!(fake.inside.load(SeqCst), 0);
}
