//! Tests of watches, in paused time.

use super::super::watchers::BUFFERED_MAX;
use super::*;
use crate::Invocation;
use crate::testing::fake::{TestHost, call, execution_id, sleep, with_id};
use pilum_store::ExecutionStore as _;
use pilum_types::{LogLine, LogStream, State};
use std::sync::atomic::Ordering::SeqCst;

async fn watch(
    host: &TestHost,
    id: &ExecutionId,
) -> Watch<crate::testing::fake::FakeRuntime, crate::MemoryStore> {
    host.executions.query().watch(&TenantId::default(), id).await.unwrap().expect("the execution exists")
}

/// All further updates of a watch, as texts.
async fn rest(watch: &mut Watch<crate::testing::fake::FakeRuntime, crate::MemoryStore>) -> Vec<String> {
    let mut updates = Vec::new();
    while let Some(update) = watch.next().await.unwrap() {
        updates.push(match update {
            Update::Changed(execution) => format!("{} {}", execution.state, execution.attempts.len()),
            Update::Logged(line) => line.text,
            Update::Missed(_) => "missed".to_owned(),
        });
    }
    updates
}

#[tokio::test(start_paused = true)]
async fn a_watch_gets_every_change_and_the_end_last() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    host.fake.failures.store(1, SeqCst);
    let blocker = host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let id = host.submit(call("flaky")).await;
    let mut watch = watch(&host, &id).await;
    host.fake.open_gate(1);
    assert_eq!(rest(&mut watch).await, ["PENDING 0", "RUNNING 1", "PENDING 1", "RUNNING 2", "COMPLETED 2"]);
    assert!(watch.next().await.unwrap().is_none());
    host.wait_for(&blocker, State::Completed).await;
    drop(watch);
    let watchers = &host.executions.observer().watchers;
    assert!(watchers.is_empty(), "a subscription is left");
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_an_ended_execution_gets_its_end_at_once() {
    let host = TestHost::new();
    let ended = host.finish(call("trap")).await;
    assert_eq!(rest(&mut watch(&host, &ended.id).await).await, ["FAILED 1"]);
    let none = host.executions.query().watch(&TenantId::default(), &execution_id("none")).await.unwrap();
    assert!(none.is_none());
    let other_tenant = TenantId::parse("b").unwrap();
    assert!(host.executions.query().watch(&other_tenant, &ended.id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_gets_the_cancellation_of_a_synchronous_call() {
    let host = TestHost::new();
    let running = host.spawn(with_id("mine", call("gate")));
    host.fake.wait_for_runs(1).await;
    let id = execution_id("mine");
    let mut watch = watch(&host, &id).await;
    host.executions.cancellation().cancel(&TenantId::default(), &id, "", true).await.unwrap();
    assert_eq!(rest(&mut watch).await, ["RUNNING 1", "CANCELLED 1"]);
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_misses_lines_but_not_the_end() {
    let host = TestHost::new();
    let id = host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let mut watch = watch(&host, &id).await;
    let log_sink = host.executions.observer().watchers.log_sink(&TenantId::default(), &id);
    for number in 0..2 * BUFFERED_MAX {
        log_sink.line(&LogLine { stream: LogStream::Stdout, text: number.to_string() });
    }
    host.fake.open_gate(1);
    host.wait_for(&id, State::Completed).await;
    let updates = rest(&mut watch).await;
    assert_eq!((updates[0].as_str(), updates[1].as_str()), ("RUNNING 1", "missed"));
    assert_eq!(updates.last().map(String::as_str), Some("COMPLETED 1"));
    assert!(updates.len() <= BUFFERED_MAX + 3, "{}", updates.len());
}

#[tokio::test(start_paused = true)]
async fn a_watch_finds_changes_that_are_not_announced() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 0);
    let id = host.submit(call("echo")).await;
    let mut watch = watch(&host, &id).await;
    watch.next().await.unwrap();
    let ctx = host.executions.ctx();
    ctx.store.cancel_pending(&TenantId::default(), &id, "by another host", ctx.clock.now()).await.unwrap();
    assert_eq!(rest(&mut watch).await, ["CANCELLED 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_execution_or_at_the_timeout() {
    let host = TestHost::new();
    let id = host.submit(sleep(5_000)).await;
    let wait = async |seconds| {
        let began = tokio::time::Instant::now();
        let timeout = Duration::from_secs(seconds);
        let execution =
            host.executions.query().wait(&TenantId::default(), &id, timeout).await.unwrap().unwrap();
        (execution.state, began.elapsed().as_secs())
    };
    assert_eq!(wait(2).await, (State::Running, 2));
    assert_eq!(wait(60).await, (State::Completed, 3));
    assert_eq!(wait(60).await, (State::Completed, 0));
    let none = host.executions.query().wait(&TenantId::default(), &execution_id("none"), Duration::MAX).await;
    assert!(none.unwrap().is_none());
    let with_timeout =
        host.submit(Invocation { timeout: Some(Duration::from_secs(1)), ..call("gate") }).await;
    let execution = host
        .executions
        .query()
        .wait(&TenantId::default(), &with_timeout, Duration::MAX)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(execution.state, State::Timeout);
}
