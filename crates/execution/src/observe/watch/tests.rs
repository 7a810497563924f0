//! Following executions under paused time.

use super::super::watchers::BUFFERED_MAX;
use super::*;
use crate::Invocation;
use crate::testing::fake::{Rig, call, execution_id, sleep, under};
use pilum_store::ExecutionStore as _;
use pilum_types::{LogLine, LogStream, State};
use std::sync::atomic::Ordering::SeqCst;

async fn watch(rig: &Rig, id: &ExecutionId) -> Watch<crate::testing::fake::Fake, crate::MemoryStore> {
    rig.executions.query().watch(&TenantId::default(), id).await.unwrap().expect("it is known")
}

/// The rest of what is told.
async fn rest(watch: &mut Watch<crate::testing::fake::Fake, crate::MemoryStore>) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(update) = watch.next().await.unwrap() {
        told.push(match update {
            Update::Changed(execution) => format!("{} {}", execution.state, execution.attempts.len()),
            Update::Logged(line) => line.text,
            Update::Missed(_) => "missed".to_owned(),
        });
    }
    told
}

#[tokio::test(start_paused = true)]
async fn every_change_is_told_and_the_end_last() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    rig.fake.failures.store(1, SeqCst);
    let blocker = rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let id = rig.submit(call("flaky")).await;
    let mut watch = watch(&rig, &id).await;
    rig.fake.open(1);
    assert_eq!(rest(&mut watch).await, ["PENDING 0", "RUNNING 1", "PENDING 1", "RUNNING 2", "COMPLETED 2"]);
    assert!(watch.next().await.unwrap().is_none());
    rig.reaches(&blocker, State::Completed).await;
    drop(watch);
    let watchers = &rig.executions.observer().watchers;
    assert!(watchers.is_empty(), "a subscription is left");
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_is_told_at_once_and_nobodys_is_nothing() {
    let rig = Rig::new();
    let ended = rig.finish(call("trap")).await;
    assert_eq!(rest(&mut watch(&rig, &ended.id).await).await, ["FAILED 1"]);
    let none = rig.executions.query().watch(&TenantId::default(), &execution_id("none")).await.unwrap();
    assert!(none.is_none());
    let stranger = TenantId::parse("b").unwrap();
    assert!(rig.executions.query().watch(&stranger, &ended.id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_synchronous_call_and_a_cancellation_are_told_too() {
    let rig = Rig::new();
    let running = rig.spawn(under("mine", call("gate")));
    rig.fake.entered(1).await;
    let id = execution_id("mine");
    let mut watch = watch(&rig, &id).await;
    rig.executions.cancellation().cancel(&TenantId::default(), &id, "", true).await.unwrap();
    assert_eq!(rest(&mut watch).await, ["RUNNING 1", "CANCELLED 1"]);
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_misses_lines_and_no_end() {
    let rig = Rig::new();
    let id = rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let mut watch = watch(&rig, &id).await;
    let log_sink = rig.executions.observer().watchers.log_sink(&TenantId::default(), &id);
    for number in 0..2 * BUFFERED_MAX {
        log_sink.line(&LogLine { stream: LogStream::Stdout, text: number.to_string() });
    }
    rig.fake.open(1);
    rig.reaches(&id, State::Completed).await;
    let told = rest(&mut watch).await;
    assert_eq!((told[0].as_str(), told[1].as_str()), ("RUNNING 1", "missed"));
    assert_eq!(told.last().map(String::as_str), Some("COMPLETED 1"));
    assert!(told.len() <= BUFFERED_MAX + 3, "{}", told.len());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_not_announced_is_noticed() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 0);
    let id = rig.submit(call("echo")).await;
    let mut watch = watch(&rig, &id).await;
    watch.next().await.unwrap();
    let ctx = rig.executions.ctx();
    ctx.store.cancel_pending(&TenantId::default(), &id, "by another host", ctx.clock.now()).await.unwrap();
    assert_eq!(rest(&mut watch).await, ["CANCELLED 0"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_execution_or_with_patience() {
    let rig = Rig::new();
    let id = rig.submit(sleep(5_000)).await;
    let wait = async |seconds| {
        let began = tokio::time::Instant::now();
        let patience = Duration::from_secs(seconds);
        let execution =
            rig.executions.query().wait(&TenantId::default(), &id, patience).await.unwrap().unwrap();
        (execution.state, began.elapsed().as_secs())
    };
    assert_eq!(wait(2).await, (State::Running, 2));
    assert_eq!(wait(60).await, (State::Completed, 3));
    assert_eq!(wait(60).await, (State::Completed, 0));
    let none = rig.executions.query().wait(&TenantId::default(), &execution_id("none"), Duration::MAX).await;
    assert!(none.unwrap().is_none());
    let timed = rig.submit(Invocation { timeout: Some(Duration::from_secs(1)), ..call("gate") }).await;
    let execution =
        rig.executions.query().wait(&TenantId::default(), &timed, Duration::MAX).await.unwrap().unwrap();
    assert_eq!(execution.state, State::Timeout);
}
