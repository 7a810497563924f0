//! The asynchronous door under paused time.

use crate::testing::fake::{Rig, call, execution_id, parameter, sleep, spec, under};
use crate::{Invocation, Mode, Reply, RequestError, Target};
use pilum_types::{State, TenantId, Value};
use std::collections::BTreeSet;
use std::time::Duration;

fn later(invocation: Invocation) -> Invocation {
    Invocation { mode: Mode::Async, ..invocation }
}

/// A host that accepts and never runs.
fn idle() -> Rig {
    Rig::with(|s| s.asynchronous.max_concurrent_executions = 0)
}

async fn estimate(rig: &Rig, invocation: Invocation) -> Duration {
    match rig.invoke(later(invocation)).await.unwrap() {
        Reply::Pending { estimate, .. } => estimate,
        Reply::Finished(execution) => panic!("{execution:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_call_is_pending_and_found_by_id() {
    let rig = idle();
    let Ok(Reply::Pending { execution, .. }) = rig.invoke(later(call("echo"))).await else { panic!() };
    assert_eq!((execution.state, execution.mode), (State::Pending, Mode::Async));
    let found = rig.get(&execution.id).await.unwrap();
    assert_eq!(format!("{found:?}"), format!("{execution:?}"), "what is kept is what was answered");
    let stats = rig.executions.query().stats().await.unwrap();
    assert_eq!((stats.pending, stats.running), (1, 0));
    assert_eq!(rig.fake.runs(), 0);
    assert_eq!(
        rig.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap().execution_count,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_creates_nothing() {
    let rig = idle();
    for _ in 0..10 {
        rig.submit(call("echo")).await;
    }
    let other = Invocation { target: Target::New(spec("other", "file:b")), ..call("echo") };
    let refused = rig.invoke(later(under("mine", other))).await;
    assert!(matches!(refused, Err(RequestError::QueueFull { max_queue_size: 10, retry_after })
        if retry_after >= Duration::from_secs(1)));
    assert!(rig.get(&execution_id("mine")).await.is_none());
    assert_eq!(rig.task_names(), ["t"]);
    assert_eq!(rig.executions.query().stats().await.unwrap().pending, 10);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_accepted_once_and_another_request_is_not() {
    let rig = idle();
    let first = rig.submit(under("mine", call("echo"))).await;
    assert_eq!(rig.submit(under("mine", call("echo"))).await, first);
    assert_eq!(rig.executions.query().stats().await.unwrap().pending, 1);
    for other in [
        later(call("trap")),
        later(Invocation { parameters: vec![parameter(Value::Null)], ..call("echo") }),
        call("echo"),
    ] {
        let refused = rig.invoke(under("mine", other)).await;
        assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })), "{refused:?}");
    }
    let elsewhere = Invocation { tenant: TenantId::parse("b").unwrap(), ..call("echo") };
    rig.submit(under("mine", elsewhere)).await;
    assert_eq!(rig.executions.query().stats().await.unwrap().pending, 2);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn an_id_in_the_ledger_is_not_an_asynchronous_calls() {
    let rig = idle();
    rig.finish(under("mine", call("echo"))).await;
    let refused = rig.invoke(later(under("mine", call("echo")))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
    assert_eq!(rig.executions.query().stats().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_finished_execution_is_given_back_with_its_result() {
    let rig = Rig::new();
    let id = rig.submit(under("mine", call("echo"))).await;
    rig.reaches(&id, State::Completed).await;
    let again = rig.invoke(later(under("mine", call("echo")))).await;
    let Ok(Reply::Pending { execution, estimate }) = again else { panic!("{again:?}") };
    assert_eq!((execution.state, estimate), (State::Completed, Duration::ZERO));
    assert_eq!(rig.fake.runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_racers_with_one_id_are_one_execution() {
    let rig = Rig::new();
    let racers: Vec<_> = (0..1_000).map(|_| rig.spawn(later(under("mine", call("echo"))))).collect();
    let mut ids = BTreeSet::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(Reply::Pending { execution, .. }) => {
                ids.insert((execution.id.clone(), execution.task_id.clone()))
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(ids.len(), 1);
    rig.reaches(&execution_id("mine"), State::Completed).await;
    assert_eq!(rig.fake.runs(), 1);
}

/// Both doors at once: whichever wins, there is one execution.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_id_belongs_to_one_door() {
    for round in 0..100 {
        let rig = Rig::new();
        let id = format!("id-{round}");
        let here = rig.spawn(under(&id, call("echo")));
        let there = rig.spawn(later(under(&id, call("echo"))));
        let accepted = usize::from(here.await.unwrap().is_ok()) + usize::from(there.await.unwrap().is_ok());
        assert!(accepted <= 1, "both doors took the id");
    }
}

#[tokio::test(start_paused = true)]
async fn estimates_learn_from_runs_and_count_what_waits() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    *rig.fake.prepare_takes.lock().unwrap() = Duration::from_millis(30);
    // Nothing has run: what is known is how long the preparation took.
    let first = estimate(&rig, under("first", sleep(400))).await;
    assert_eq!(first, Duration::from_millis(60));
    rig.reaches(&execution_id("first"), State::Completed).await;
    *rig.fake.prepare_takes.lock().unwrap() = Duration::ZERO;

    // Its own mean, a preparation by the worker included, and one turn to wait.
    let mean = Duration::from_millis(430);
    assert_eq!(estimate(&rig, sleep(400)).await, 2 * mean);
    rig.fake.entered(2).await;
    assert_eq!(estimate(&rig, sleep(400)).await, 2 * mean, "what runs no longer waits");
    assert_eq!(estimate(&rig, sleep(400)).await, 3 * mean);
    // Another function is judged by the task, another task by everything.
    assert_eq!(estimate(&rig, call("echo")).await, 4 * mean);
    let other = Invocation { target: Target::New(spec("u", "file:b")), ..call("echo") };
    assert_eq!(estimate(&rig, other).await, 5 * mean);
}

#[tokio::test(start_paused = true)]
async fn bounds_are_those_of_the_mode() {
    let rig = idle();
    let hour = Duration::from_secs(3600);
    rig.submit(Invocation { timeout: Some(2 * hour), ..call("echo") }).await;
    let refused =
        rig.invoke(later(Invocation { timeout: Some(3 * hour), ..call("echo") })).await.unwrap_err();
    assert_eq!(refused.to_string(), "timeout: must be at most 7200000 ms");
    let refused = rig.invoke(later(Invocation { max_retries: Some(4), ..call("echo") })).await.unwrap_err();
    assert_eq!(refused.to_string(), "retries: must be at most 3");
}
