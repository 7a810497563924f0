//! Shutdown under paused time.

use crate::testing::fake::{Rig, call, execution_id, sleep, spawn, under};
use crate::{Invocation, Mode, Reply, RequestError};
use futures::FutureExt as _;
use pilum_store::WorkQueue as _;
use pilum_types::{FailureCode, State};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn drain(rig: &Rig, bound: Duration) -> tokio::task::JoinHandle<Duration> {
    let executions = Arc::clone(&rig.executions);
    let began = Instant::now();
    spawn(async move {
        executions.drain(bound).await;
        began.elapsed()
    })
}

/// Both doors are shut.
async fn assert_refused(rig: &Rig) {
    for mode in [Mode::Sync, Mode::Async] {
        let refused = rig.invoke(Invocation { mode, ..call("echo") }).await;
        assert!(matches!(refused, Err(RequestError::Draining)), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_host_drains_at_once() {
    let rig = Rig::new();
    assert!(!rig.executions.is_draining());
    assert_eq!(drain(&rig, 10 * SECOND).await.unwrap(), Duration::ZERO);
    assert!(rig.executions.is_draining());
    assert_refused(&rig).await;
    assert!(rig.executions.lifecycle().tracker.is_empty(), "nothing is left running");
    rig.executions.drain(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_end_and_what_waits_stays() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = rig.spawn(sleep(3_000));
    let running = rig.submit(sleep(4_000)).await;
    rig.fake.entered(2).await;
    let pending = rig.submit(call("echo")).await;
    let drained = drain(&rig, 10 * SECOND);
    while !rig.executions.is_draining() {
        tokio::task::yield_now().await;
    }
    assert_refused(&rig).await;
    assert_eq!(drained.await.unwrap(), 4 * SECOND, "it ends when all has ended");
    assert!(matches!(called.await.unwrap(), Ok(Reply::Finished(e)) if e.state == State::Completed));
    assert_eq!(rig.get(&running).await.unwrap().state, State::Completed);
    assert_eq!(rig.get(&pending).await.unwrap().state, State::Pending, "accepted, and kept");
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_stopped_or_handed_back() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let called = rig.spawn(call("gate"));
    let running = rig.submit(call("gate")).await;
    rig.fake.entered(2).await;
    assert_eq!(drain(&rig, 10 * SECOND).await.unwrap(), 10 * SECOND);
    assert_eq!(rig.fake.inside.load(SeqCst), 0);

    let Ok(Reply::Finished(execution)) = called.await.unwrap() else { panic!("no end") };
    let failure = execution.failure().unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Cancelled, "the host was shut down"));
    let back = rig.get(&running).await.unwrap();
    assert_eq!((back.state, back.attempts.len()), (State::Pending, 1));
    assert_eq!(back.attempts[0].failure.as_ref().unwrap().code, FailureCode::WorkerLost);
    // The next start finds it at once.
    let ctx = rig.executions.ctx();
    let claimed = ctx.store.claim(ctx.clock.now(), SECOND, 1).await.unwrap();
    assert_eq!(claimed.leases[0].attempt, 2);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_slot_is_refused() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let running = rig.spawn(sleep(1_000));
    rig.fake.entered(1).await;
    let waiting = rig.spawn(under("mine", call("echo")));
    while rig.executions.sync_executions().get(&Default::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(drain(&rig, 10 * SECOND).await.unwrap(), SECOND);
    assert!(matches!(waiting.await.unwrap(), Err(RequestError::Draining)));
    assert!(running.await.unwrap().is_ok());
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_being_prepared_is_refused() {
    let rig = Rig::new();
    *rig.fake.prepare_takes.lock().unwrap() = SECOND;
    let here = rig.spawn(call("echo"));
    let there = rig.spawn(Invocation { mode: Mode::Async, ..call("echo") });
    while rig.fake.prepares.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    drain(&rig, 10 * SECOND).await.unwrap();
    assert!(matches!(here.await.unwrap(), Err(RequestError::Draining)));
    assert!(matches!(there.await.unwrap(), Err(RequestError::Draining)));
    assert!(rig.task_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_ever() {
    let rig = Rig::new();
    let mut stuck = std::pin::pin!(rig.invoke(call("gate")));
    // Polled once and never again, so it cannot end.
    assert!(stuck.as_mut().now_or_never().is_none());
    assert_eq!(drain(&rig, SECOND).await.unwrap(), SECOND + super::STOP_WAIT);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_everything() {
    let Rig { fake, executions } = Rig::new();
    let rig = Rig { fake: fake.clone(), executions };
    rig.submit(call("gate")).await;
    fake.entered(1).await;
    let tracker = rig.executions.lifecycle().tracker.clone();
    drop(rig);
    tracker.wait().await;
    assert_eq!(fake.inside.load(SeqCst), 0);
}
