//! The workers under paused time.

use super::*;
use crate::testing::fake::{Rig, call, execution_id, parameter, sleep, under};
use crate::{Admission, CancelResult, Invocation, Schedule};
use pilum_store::{ExecutionStore as _, WorkQueue as _};
use pilum_types::{Output, State, TenantId, Value};
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test(start_paused = true)]
async fn an_accepted_call_is_run_and_its_end_recorded() {
    let rig = Rig::new();
    let seven = parameter(Value::Signed(7));
    let id = rig.submit(Invocation { parameters: vec![seven], ..call("echo") }).await;
    let execution = rig.reaches(&id, State::Completed).await;
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Ok(Output::Typed(Value::Signed(7))));
    assert_eq!((outcome.usage.attempt, execution.attempts.len()), (1, 1));
    assert!(execution.attempts[0].took.is_some() && execution.completed_at.is_some());
    let view = rig.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap();
    assert_eq!((view.execution_count, view.last_state), (1, Some(State::Completed)));
    assert_eq!(*rig.fake.timeouts.lock().unwrap(), [Duration::from_secs(3600)]);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn as_many_run_at_once_as_may_and_in_the_order_they_came() {
    let rig = Rig::new();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(rig.submit(sleep(1_000)).await);
    }
    rig.fake.entered(2).await;
    let stats = rig.executions.query().stats().await.unwrap();
    assert_eq!((stats.running, stats.pending), (2, 4));
    let mut waits = Vec::new();
    for id in &ids {
        let execution = rig.reaches(id, State::Completed).await;
        waits.push(execution.outcome.as_ref().unwrap().usage.queue_wait.as_secs());
    }
    assert_eq!(waits, [0, 0, 1, 1, 2, 2]);
    assert_eq!(rig.fake.inside_max.load(SeqCst), 2);
    assert_eq!(rig.executions.query().stats().await.unwrap().completed, 6);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_where_that_may_help() {
    let check = async |function: &str, failures: u32, max_retries: u32, attempts: usize, state: State| {
        let rig = Rig::new();
        rig.fake.failures.store(failures, SeqCst);
        let id = rig.submit(Invocation { max_retries: Some(max_retries), ..call(function) }).await;
        let execution = rig.reaches(&id, state).await;
        assert_eq!(execution.attempts.len(), attempts, "{function}");
        assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt as usize, attempts);
        let failed = execution.attempts.iter().filter(|attempt| attempt.failure.is_some()).count();
        assert_eq!(failed, attempts - usize::from(state == State::Completed), "every failure is listed");
        rig.assert_idle();
    };
    check("flaky", 2, 3, 3, State::Completed).await;
    check("flaky", 9, 3, 4, State::Failed).await;
    check("flaky", 9, 0, 1, State::Failed).await;
    check("trap", 0, 3, 1, State::Failed).await;
    check("panic", 0, 1, 2, State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn retries_can_be_turned_off() {
    let rig = Rig::with(|s| s.asynchronous.enable_retries = false);
    rig.fake.failures.store(1, SeqCst);
    let id = rig.submit(call("flaky")).await;
    assert_eq!(rig.reaches(&id, State::Failed).await.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_within_its_bounds_and_holds_up_nobody() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    rig.fake.failures.store(3, SeqCst);
    let flaky = rig.submit(call("flaky")).await;
    let others: Vec<_> = [rig.submit(call("echo")).await, rig.submit(call("echo")).await].into();
    let execution = rig.reaches(&flaky, State::Completed).await;
    for (pair, bound) in execution.attempts.windows(2).zip([100, 200, 400]) {
        let wait = pair[1].started_at.duration_since(pair[0].started_at).unwrap();
        // The alarm's own tick may add a millisecond.
        assert!(wait <= Duration::from_millis(bound + 2), "{wait:?} > {bound} ms");
    }
    for other in others {
        rig.reaches(&other, State::Completed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_lease() {
    let rig = Rig::new();
    let id = rig.submit(sleep(10 * 60_000)).await;
    let execution = rig.reaches(&id, State::Completed).await;
    assert_eq!((execution.attempts.len(), rig.fake.runs()), (1, 1));
    assert_eq!(execution.duration(), Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_drops_its_work() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let id = rig.submit(under("mine", call("gate"))).await;
    rig.fake.entered(1).await;
    // Somebody else takes the execution, as if this host had been away too long.
    let store = &rig.executions.ctx().store;
    let late = rig.executions.ctx().clock.now() + 2 * LEASE;
    let theirs = store.claim(late, 100 * LEASE, 1).await.unwrap().leases.pop().unwrap();
    rig.fake.open(1);
    while rig.fake.inside.load(SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    // This worker's result is refused, and the worker takes the next thing.
    let next = rig.submit(call("echo")).await;
    rig.reaches(&next, State::Completed).await;
    assert_eq!(rig.get(&id).await.unwrap().state, State::Running);
    let outcome = Arc::new(Outcome::failed(Failure::new(FailureCode::TrapOther, "theirs")));
    store.finish(&theirs.fence, outcome, late).await.unwrap();
    assert_eq!(rig.get(&id).await.unwrap().failure().unwrap().message, "theirs");
}

#[tokio::test(start_paused = true)]
async fn a_worker_notices_by_itself_that_its_lease_is_lost() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let ctx = rig.executions.ctx();
    let theirs = ctx.store.claim(ctx.clock.now() + 2 * LEASE, 100 * LEASE, 1).await.unwrap();
    assert_eq!(theirs.leases.len(), 1);
    let began = Instant::now();
    while rig.fake.inside.load(SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() <= RENEW_EVERY + Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_task_is_gone_ends() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let blocker = rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let id = rig.submit(call("echo")).await;
    let tasks = rig.executions.tasks();
    let id_of_task = tasks.named(&TenantId::default(), "t").unwrap().task.id.clone();
    let entry = tasks.entry(&TenantId::default(), &id_of_task).unwrap();
    assert!(tasks.unregister(&entry));
    rig.fake.open(1);
    rig.reaches(&blocker, State::Completed).await;
    let execution = rig.reaches(&id, State::Failed).await;
    assert_eq!(execution.failure(), Some(&Failure::new(FailureCode::HostError, "the task was deleted")));
    assert_eq!(execution.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn code_that_is_not_ready_any_more_fails_the_attempt() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let run = async |change: &dyn Fn(bool)| {
        let blocker = rig.submit(call("gate")).await;
        rig.fake.entered(1).await;
        let id = rig.submit(Invocation { max_retries: Some(1), ..call("trap") }).await;
        change(true);
        rig.fake.open(1);
        rig.reaches(&blocker, State::Completed).await;
        let execution = rig.reaches(&id, State::Failed).await;
        change(false);
        (execution.attempts.len(), execution.failure().unwrap().clone())
    };
    let (attempts, failure) = run(&|on| rig.fake.unavailable.store(on, SeqCst)).await;
    assert_eq!((attempts, failure.code), (2, FailureCode::HostError));
    assert_eq!(failure.message, "no route");
    let (attempts, failure) = run(&|on| rig.fake.corrupt.store(on, SeqCst)).await;
    assert_eq!((attempts, failure.code), (1, FailureCode::HostError));
}

#[tokio::test(start_paused = true)]
async fn a_worker_outlives_panics() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    for _ in 0..5 {
        let id = rig.submit(Invocation { max_retries: Some(0), ..call("panic") }).await;
        let failure = rig.reaches(&id, State::Failed).await.failure().unwrap().clone();
        assert_eq!(failure, Failure::new(FailureCode::HostError, "the host failed while it ran the call"));
    }
    let id = rig.submit(call("echo")).await;
    rig.reaches(&id, State::Completed).await;
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_at_its_timeout_and_not_tried_again() {
    let rig = Rig::new();
    let id = rig.submit(Invocation { timeout: Some(Duration::from_secs(3)), ..call("gate") }).await;
    let execution = rig.reaches(&id, State::Timeout).await;
    assert_eq!(execution.duration(), Duration::from_secs(3));
    assert_eq!(rig.executions.query().stats().await.unwrap().timed_out, 1);
}

/// On several threads, as much as the queue takes, each run exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost_under_load() {
    let rig = Rig::with(|s| {
        s.asynchronous.max_concurrent_executions = 8;
        s.asynchronous.max_queue_size = 2_000;
    });
    let callers: Vec<_> =
        (0..2_000).map(|i| rig.spawn(under(&format!("id-{i}"), later(call("echo"))))).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    for i in 0..2_000 {
        rig.reaches(&execution_id(&format!("id-{i}")), State::Completed).await;
    }
    assert_eq!(rig.fake.runs(), 2_000);
    assert!(rig.fake.inside_max.load(SeqCst) <= 8);
}

#[tokio::test(start_paused = true)]
async fn one_of_many_idle_workers_is_enough_at_any_time() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 50);
    for round in 0..20 {
        // Idle for long enough that every timer there is has fired.
        tokio::time::advance(Duration::from_secs(100 * round)).await;
        let began = Instant::now();
        let id = rig.submit(call("echo")).await;
        rig.reaches(&id, State::Completed).await;
        assert!(began.elapsed() <= Duration::from_millis(2), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_cancelled() {
    let rig = Rig::new();
    let id = rig.submit(call("gate")).await;
    rig.fake.entered(1).await;
    let cancelled =
        rig.executions.cancellation().cancel(&TenantId::default(), &id, "enough", true).await.unwrap();
    assert_eq!(cancelled, CancelResult::Done);
    let execution = rig.get(&id).await.unwrap();
    assert_eq!(execution.failure(), Some(&Failure::new(FailureCode::Cancelled, "enough")));
    assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt, 1);
    rig.assert_idle();
}

/// Puts an execution into the store without waking the dispatcher.
async fn put(rig: &Rig, id: &str, function: &str) {
    let ctx = rig.executions.ctx();
    let submission = crate::Submission {
        id: execution_id(id),
        tenant: TenantId::default(),
        task_id: rig.executions.tasks().named(&TenantId::default(), "t").unwrap().task.id.clone(),
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
async fn one_wake_is_enough_for_all_that_became_due() {
    let rig = Rig::new();
    let id = rig.submit(call("echo")).await;
    rig.reaches(&id, State::Completed).await;
    // Both workers are idle by now.
    put(&rig, "a", "gate").await;
    put(&rig, "b", "gate").await;
    rig.executions.queue().wake();
    let both = tokio::time::timeout(Duration::from_secs(1), rig.fake.entered(3)).await;
    assert!(both.is_ok(), "the second waits though a worker is idle");
}

#[tokio::test(start_paused = true)]
async fn a_retry_finds_an_idle_worker_when_its_own_is_busy() {
    let rig = Rig::new();
    rig.finish(call("echo")).await;
    rig.fake.failures.store(1, SeqCst);
    *rig.fake.prepare_takes.lock().unwrap() = Duration::from_secs(1);
    put(&rig, "flaky", "flaky").await;
    rig.executions.queue().wake();
    while rig.fake.prepares.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // The worker's next execution occupies it for ever; the other worker is idle.
    put(&rig, "gate", "gate").await;
    let retried = rig.reaches(&execution_id("flaky"), State::Completed).await;
    assert!(retried.duration() <= Duration::from_millis(2_110), "{:?}", retried.duration());
    assert_eq!(rig.get(&execution_id("gate")).await.unwrap().state, State::Running);
}

fn later(invocation: Invocation) -> Invocation {
    Invocation { mode: crate::Mode::Async, ..invocation }
}
