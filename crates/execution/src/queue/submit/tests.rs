//! Tests of asynchronous submissions, in paused time.

use crate::testing::fake::{TestHost, call, execution_id, parameter, sleep, spec, with_id};
use crate::{Invocation, Mode, Reply, RequestError, Target};
use pilum_types::{State, TenantId, Value};
use std::collections::BTreeSet;
use std::time::Duration;

fn asynchronous(invocation: Invocation) -> Invocation {
    Invocation { mode: Mode::Async, ..invocation }
}

/// A host that accepts executions and runs none.
fn host_without_runners() -> TestHost {
    TestHost::with(|s| s.asynchronous.max_concurrent_executions = 0)
}

async fn estimate(host: &TestHost, invocation: Invocation) -> Duration {
    match host.invoke(asynchronous(invocation)).await.unwrap() {
        Reply::Pending { estimate, .. } => estimate,
        Reply::Finished(execution) => panic!("{execution:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_submitted_call_is_pending_and_found_by_id() {
    let host = host_without_runners();
    let Ok(Reply::Pending { execution, .. }) = host.invoke(asynchronous(call("echo"))).await else {
        panic!()
    };
    assert_eq!((execution.state, execution.mode), (State::Pending, Mode::Async));
    let found = host.get(&execution.id).await.unwrap();
    assert_eq!(
        format!("{found:?}"),
        format!("{execution:?}"),
        "the stored execution is the one in the reply"
    );
    let stats = host.executions.query().stats().await.unwrap();
    assert_eq!((stats.pending, stats.running), (1, 0));
    assert_eq!(host.fake.runs(), 0);
    assert_eq!(
        host.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap().execution_count,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_creates_nothing() {
    let host = host_without_runners();
    for _ in 0..10 {
        host.submit(call("echo")).await;
    }
    let other = Invocation { target: Target::New(spec("other", "file:b")), ..call("echo") };
    let refused = host.invoke(asynchronous(with_id("mine", other))).await;
    assert!(matches!(refused, Err(RequestError::QueueFull { max_queue_size: 10, retry_after })
        if retry_after >= Duration::from_secs(1)));
    assert!(host.get(&execution_id("mine")).await.is_none());
    assert_eq!(host.task_names(), ["t"]);
    assert_eq!(host.executions.query().stats().await.unwrap().pending, 10);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_repeated_submission_is_accepted_once_and_another_request_is_refused() {
    let host = host_without_runners();
    let first = host.submit(with_id("mine", call("echo"))).await;
    assert_eq!(host.submit(with_id("mine", call("echo"))).await, first);
    assert_eq!(host.executions.query().stats().await.unwrap().pending, 1);
    for other in [
        asynchronous(call("trap")),
        asynchronous(Invocation { parameters: vec![parameter(Value::Null)], ..call("echo") }),
        call("echo"),
    ] {
        let refused = host.invoke(with_id("mine", other)).await;
        assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })), "{refused:?}");
    }
    let other_tenants = Invocation { tenant: TenantId::parse("b").unwrap(), ..call("echo") };
    host.submit(with_id("mine", other_tenants)).await;
    assert_eq!(host.executions.query().stats().await.unwrap().pending, 2);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_call_cannot_have_the_id_of_a_synchronous_call() {
    let host = host_without_runners();
    host.finish(with_id("mine", call("echo"))).await;
    let refused = host.invoke(asynchronous(with_id("mine", call("echo")))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
    assert_eq!(host.executions.query().stats().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_submission_gets_the_finished_execution() {
    let host = TestHost::new();
    let id = host.submit(with_id("mine", call("echo"))).await;
    host.wait_for(&id, State::Completed).await;
    let again = host.invoke(asynchronous(with_id("mine", call("echo")))).await;
    let Ok(Reply::Pending { execution, estimate }) = again else { panic!("{again:?}") };
    assert_eq!((execution.state, estimate), (State::Completed, Duration::ZERO));
    assert_eq!(host.fake.runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_concurrent_submissions_with_one_id_are_one_execution() {
    let host = TestHost::new();
    let callers: Vec<_> =
        (0..1_000).map(|_| host.spawn(asynchronous(with_id("mine", call("echo"))))).collect();
    let mut ids = BTreeSet::new();
    for caller in callers {
        match caller.await.unwrap() {
            Ok(Reply::Pending { execution, .. }) => {
                ids.insert((execution.id.clone(), execution.task_id.clone()))
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(ids.len(), 1);
    host.wait_for(&execution_id("mine"), State::Completed).await;
    assert_eq!(host.fake.runs(), 1);
}

/// A synchronous and an asynchronous call claim the same id at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_id_belongs_to_one_call() {
    for round in 0..100 {
        let host = TestHost::new();
        let id = format!("id-{round}");
        let sync_call = host.spawn(with_id(&id, call("echo")));
        let async_call = host.spawn(asynchronous(with_id(&id, call("echo"))));
        let accepted =
            usize::from(sync_call.await.unwrap().is_ok()) + usize::from(async_call.await.unwrap().is_ok());
        assert!(accepted <= 1, "both calls have the id");
    }
}

#[tokio::test(start_paused = true)]
async fn estimates_use_run_times_and_count_waiting_executions() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    *host.fake.prepare_takes.lock().unwrap() = Duration::from_millis(30);
    // Nothing has run, so only the time of the preparation is known.
    let first = estimate(&host, with_id("first", sleep(400))).await;
    assert_eq!(first, Duration::from_millis(60));
    host.wait_for(&execution_id("first"), State::Completed).await;
    *host.fake.prepare_takes.lock().unwrap() = Duration::ZERO;

    // The mean of the function includes a preparation by the worker. One execution is before
    // this one.
    let mean = Duration::from_millis(430);
    assert_eq!(estimate(&host, sleep(400)).await, 2 * mean);
    host.fake.wait_for_runs(2).await;
    assert_eq!(estimate(&host, sleep(400)).await, 2 * mean, "a running execution does not wait");
    assert_eq!(estimate(&host, sleep(400)).await, 3 * mean);
    // Another function has the mean of its task, another task has the mean of all tasks.
    assert_eq!(estimate(&host, call("echo")).await, 4 * mean);
    let other = Invocation { target: Target::New(spec("u", "file:b")), ..call("echo") };
    assert_eq!(estimate(&host, other).await, 5 * mean);
}

#[tokio::test(start_paused = true)]
async fn asynchronous_calls_have_their_own_bounds() {
    let host = host_without_runners();
    let hour = Duration::from_secs(3600);
    host.submit(Invocation { timeout: Some(2 * hour), ..call("echo") }).await;
    let refused =
        host.invoke(asynchronous(Invocation { timeout: Some(3 * hour), ..call("echo") })).await.unwrap_err();
    assert_eq!(refused.to_string(), "timeout: must be at most 7200000 ms");
    let refused =
        host.invoke(asynchronous(Invocation { max_retries: Some(4), ..call("echo") })).await.unwrap_err();
    assert_eq!(refused.to_string(), "retries: must be at most 3");
}
