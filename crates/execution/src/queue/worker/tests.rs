//! Tests of the workers, in paused time.

use super::*;
use crate::testing::fake::{TestHost, call, execution_id, parameter, sleep, with_id};
use crate::{Admission, CancelResult, Invocation, Schedule};
use pilum_store::{ExecutionStore as _, WorkQueue as _};
use pilum_types::{Output, State, TenantId, Value};
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test(start_paused = true)]
async fn a_submitted_call_is_run_and_its_end_is_recorded() {
    let host = TestHost::new();
    let seven = parameter(Value::Signed(7));
    let id = host.submit(Invocation { parameters: vec![seven], ..call("echo") }).await;
    let execution = host.wait_for(&id, State::Completed).await;
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Ok(Output::Typed(Value::Signed(7))));
    assert_eq!((outcome.usage.attempt, execution.attempts.len()), (1, 1));
    assert!(execution.attempts[0].took.is_some() && execution.completed_at.is_some());
    let view = host.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap();
    assert_eq!((view.execution_count, view.last_state), (1, Some(State::Completed)));
    assert_eq!(*host.fake.timeouts.lock().unwrap(), [Duration::from_secs(3600)]);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn executions_run_in_order_and_at_most_the_bound_at_once() {
    let host = TestHost::new();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(host.submit(sleep(1_000)).await);
    }
    host.fake.wait_for_runs(2).await;
    let stats = host.executions.query().stats().await.unwrap();
    assert_eq!((stats.running, stats.pending), (2, 4));
    let mut waits = Vec::new();
    for id in &ids {
        let execution = host.wait_for(id, State::Completed).await;
        waits.push(execution.outcome.as_ref().unwrap().usage.queue_wait.as_secs());
    }
    assert_eq!(waits, [0, 0, 1, 1, 2, 2]);
    assert_eq!(host.fake.inside_max.load(SeqCst), 2);
    assert_eq!(host.executions.query().stats().await.unwrap().completed, 6);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn attempts_are_repeated_after_failures_that_another_attempt_may_cure() {
    let check = async |function: &str, failures: u32, max_retries: u32, attempts: usize, state: State| {
        let host = TestHost::new();
        host.fake.failures.store(failures, SeqCst);
        let id = host.submit(Invocation { max_retries: Some(max_retries), ..call(function) }).await;
        let execution = host.wait_for(&id, state).await;
        assert_eq!(execution.attempts.len(), attempts, "{function}");
        assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt as usize, attempts);
        let failed = execution.attempts.iter().filter(|attempt| attempt.failure.is_some()).count();
        assert_eq!(failed, attempts - usize::from(state == State::Completed), "every failure is listed");
        host.assert_nothing_held();
    };
    check("flaky", 2, 3, 3, State::Completed).await;
    check("flaky", 9, 3, 4, State::Failed).await;
    check("flaky", 9, 0, 1, State::Failed).await;
    check("trap", 0, 3, 1, State::Failed).await;
    check("panic", 0, 1, 2, State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn retries_can_be_turned_off() {
    let host = TestHost::with(|s| s.asynchronous.enable_retries = false);
    host.fake.failures.store(1, SeqCst);
    let id = host.submit(call("flaky")).await;
    assert_eq!(host.wait_for(&id, State::Failed).await.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_within_its_bounds_and_does_not_hold_up_others() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    host.fake.failures.store(3, SeqCst);
    let flaky = host.submit(call("flaky")).await;
    let others: Vec<_> = [host.submit(call("echo")).await, host.submit(call("echo")).await].into();
    let execution = host.wait_for(&flaky, State::Completed).await;
    for (pair, bound) in execution.attempts.windows(2).zip([100, 200, 400]) {
        let wait = pair[1].started_at.duration_since(pair[0].started_at).unwrap();
        // The timer may add a millisecond.
        assert!(wait <= Duration::from_millis(bound + 2), "{wait:?} > {bound} ms");
    }
    for other in others {
        host.wait_for(&other, State::Completed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_run_renews_its_lease() {
    let host = TestHost::new();
    let id = host.submit(sleep(10 * 60_000)).await;
    let execution = host.wait_for(&id, State::Completed).await;
    assert_eq!((execution.attempts.len(), host.fake.runs()), (1, 1));
    assert_eq!(execution.duration(), Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_drops_its_work() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let id = host.submit(with_id("mine", call("gate"))).await;
    host.fake.wait_for_runs(1).await;
    // Another worker claims the execution, as if this host had not renewed its lease.
    let store = &host.executions.ctx().store;
    let late = host.executions.ctx().clock.now() + 2 * LEASE;
    let other_lease = store.claim(late, 100 * LEASE, 1).await.unwrap().leases.pop().unwrap();
    host.fake.open_gate(1);
    while host.fake.inside.load(SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    // The store refuses the result of this worker, and the worker runs the next execution.
    let next = host.submit(call("echo")).await;
    host.wait_for(&next, State::Completed).await;
    assert_eq!(host.get(&id).await.unwrap().state, State::Running);
    let outcome = Arc::new(Outcome::failed(Failure::new(FailureCode::TrapOther, "of the other worker")));
    store.finish(&other_lease.fence, outcome, late).await.unwrap();
    assert_eq!(host.get(&id).await.unwrap().failure().unwrap().message, "of the other worker");
}

#[tokio::test(start_paused = true)]
async fn a_worker_notices_by_itself_that_its_lease_is_lost() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let ctx = host.executions.ctx();
    let other = ctx.store.claim(ctx.clock.now() + 2 * LEASE, 100 * LEASE, 1).await.unwrap();
    assert_eq!(other.leases.len(), 1);
    let began = Instant::now();
    while host.fake.inside.load(SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() <= RENEW_EVERY + Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_execution_of_a_deleted_task_fails() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let blocker = host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let id = host.submit(call("echo")).await;
    let tasks = host.executions.tasks();
    let id_of_task = tasks.named(&TenantId::default(), "t").unwrap().task.id.clone();
    let entry = tasks.entry(&TenantId::default(), &id_of_task).unwrap();
    assert!(tasks.unregister(&entry));
    host.fake.open_gate(1);
    host.wait_for(&blocker, State::Completed).await;
    let execution = host.wait_for(&id, State::Failed).await;
    assert_eq!(execution.failure(), Some(&Failure::new(FailureCode::HostError, "the task was deleted")));
    assert_eq!(execution.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_fails_if_its_code_cannot_be_prepared() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let run = async |change: &dyn Fn(bool)| {
        let blocker = host.submit(call("gate")).await;
        host.fake.wait_for_runs(1).await;
        let id = host.submit(Invocation { max_retries: Some(1), ..call("trap") }).await;
        change(true);
        host.fake.open_gate(1);
        host.wait_for(&blocker, State::Completed).await;
        let execution = host.wait_for(&id, State::Failed).await;
        change(false);
        (execution.attempts.len(), execution.failure().unwrap().clone())
    };
    let (attempts, failure) = run(&|on| host.fake.unavailable.store(on, SeqCst)).await;
    assert_eq!((attempts, failure.code), (2, FailureCode::HostError));
    assert_eq!(failure.message, "no route");
    let (attempts, failure) = run(&|on| host.fake.corrupt.store(on, SeqCst)).await;
    assert_eq!((attempts, failure.code), (1, FailureCode::HostError));
}

#[tokio::test(start_paused = true)]
async fn a_worker_continues_after_a_panic() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    for _ in 0..5 {
        let id = host.submit(Invocation { max_retries: Some(0), ..call("panic") }).await;
        let failure = host.wait_for(&id, State::Failed).await.failure().unwrap().clone();
        assert_eq!(failure, Failure::new(FailureCode::HostError, "the host failed while it ran the call"));
    }
    let id = host.submit(call("echo")).await;
    host.wait_for(&id, State::Completed).await;
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_at_its_timeout_and_not_tried_again() {
    let host = TestHost::new();
    let id = host.submit(Invocation { timeout: Some(Duration::from_secs(3)), ..call("gate") }).await;
    let execution = host.wait_for(&id, State::Timeout).await;
    assert_eq!(execution.duration(), Duration::from_secs(3));
    assert_eq!(host.executions.query().stats().await.unwrap().timed_out, 1);
}

/// A full queue on several threads: every execution runs exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost_under_load() {
    let host = TestHost::with(|s| {
        s.asynchronous.max_concurrent_executions = 8;
        s.asynchronous.max_queue_size = 2_000;
    });
    let callers: Vec<_> =
        (0..2_000).map(|i| host.spawn(with_id(&format!("id-{i}"), asynchronous(call("echo"))))).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    for i in 0..2_000 {
        host.wait_for(&execution_id(&format!("id-{i}")), State::Completed).await;
    }
    assert_eq!(host.fake.runs(), 2_000);
    assert!(host.fake.inside_max.load(SeqCst) <= 8);
}

#[tokio::test(start_paused = true)]
async fn a_new_execution_runs_at_once_if_runners_are_idle() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 50);
    for round in 0..20 {
        // The time is long enough for every timer to have fired.
        tokio::time::advance(Duration::from_secs(100 * round)).await;
        let began = Instant::now();
        let id = host.submit(call("echo")).await;
        host.wait_for(&id, State::Completed).await;
        assert!(began.elapsed() <= Duration::from_millis(2), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_cancelled() {
    let host = TestHost::new();
    let id = host.submit(call("gate")).await;
    host.fake.wait_for_runs(1).await;
    let cancelled =
        host.executions.cancellation().cancel(&TenantId::default(), &id, "enough", true).await.unwrap();
    assert_eq!(cancelled, CancelResult::Done);
    let execution = host.get(&id).await.unwrap();
    assert_eq!(execution.failure(), Some(&Failure::new(FailureCode::Cancelled, "enough")));
    assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt, 1);
    host.assert_nothing_held();
}

/// Submits an execution to the store and does not wake the dispatcher.
async fn put(host: &TestHost, id: &str, function: &str) {
    let ctx = host.executions.ctx();
    let submission = crate::Submission {
        id: execution_id(id),
        tenant: TenantId::default(),
        task_id: host.executions.tasks().named(&TenantId::default(), "t").unwrap().task.id.clone(),
        function: call(function).function,
        parameters: Vec::new(),
        environment: [].into(),
        timeout: Duration::from_secs(60),
        max_retries: 3,
        force_new_instance: false,
        schedule: Schedule::default(),
        callback: None,
    };
    let admission = Admission { max_pending: 10, ..Admission::default() };
    ctx.store.submit(submission, admission, ctx.clock.now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_wake_is_enough_for_several_due_executions() {
    let host = TestHost::new();
    let id = host.submit(call("echo")).await;
    host.wait_for(&id, State::Completed).await;
    // Both runners are idle now.
    put(&host, "a", "gate").await;
    put(&host, "b", "gate").await;
    host.executions.queue().wake();
    let both = tokio::time::timeout(Duration::from_secs(1), host.fake.wait_for_runs(3)).await;
    assert!(both.is_ok(), "the second execution waits although a runner is idle");
}

#[tokio::test(start_paused = true)]
async fn a_retry_runs_on_an_idle_runner_if_the_first_one_is_busy() {
    let host = TestHost::new();
    host.finish(call("echo")).await;
    host.fake.failures.store(1, SeqCst);
    *host.fake.prepare_takes.lock().unwrap() = Duration::from_secs(1);
    put(&host, "flaky", "flaky").await;
    host.executions.queue().wake();
    while host.fake.prepares.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // The next execution occupies one runner for ever; the other runner is idle.
    put(&host, "gate", "gate").await;
    let retried = host.wait_for(&execution_id("flaky"), State::Completed).await;
    assert!(retried.duration() <= Duration::from_millis(2_110), "{:?}", retried.duration());
    assert_eq!(host.get(&execution_id("gate")).await.unwrap().state, State::Running);
}

fn asynchronous(invocation: Invocation) -> Invocation {
    Invocation { mode: crate::Mode::Async, ..invocation }
}
