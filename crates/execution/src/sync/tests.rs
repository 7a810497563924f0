//! Tests of synchronous calls, in paused time.

use crate::testing::fake::{TestHost, call, execution_id, parameter, settings, sleep, spawn, with_id};
use crate::testing::no_store::NoStore;
use crate::{Invocation, Mode, Reply, RequestError};
use futures::FutureExt as _;
use pilum_types::{FailureCode, Output, State, TenantId, Value};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_synchronous_call_does_not_use_the_store() {
    let host = TestHost::over(NoStore, |s| s.asynchronous.max_concurrent_executions = 0);
    let input = Invocation { parameters: vec![parameter(Value::Signed(7))], ..call("echo") };
    let execution = host.finish(input).await;
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Ok(Output::Typed(Value::Signed(7))));
    assert_eq!(outcome.usage.attempt, 1);
    assert_eq!((execution.state, execution.mode), (State::Completed, Mode::Sync));
    assert_eq!(execution.attempts.len(), 1);
    let found = host.get(&execution.id).await.unwrap();
    assert!(Arc::ptr_eq(&found, &execution), "the record is the execution in the reply");
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn the_record_has_the_times_of_the_call() {
    let host = TestHost::new();
    let before = host.executions.ctx().clock.now();
    let execution = host.finish(sleep(250)).await;
    assert_eq!(execution.accepted_at, before);
    assert_eq!(execution.duration(), Duration::from_millis(250));
    assert_eq!(execution.attempts[0].took, Some(Duration::from_millis(250)));
    let stats = host.executions.query().stats().await.unwrap();
    assert_eq!((stats.completed, stats.guest_time), (1, Duration::from_millis(250)));
    assert_eq!(host.executions.query().calls_by_function(&TenantId::default(), 5), [("sleep".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_running_call_is_found_by_id() {
    let host = TestHost::new();
    let running = host.spawn(with_id("mine", call("gate")));
    host.fake.wait_for_runs(1).await;
    let seen = host.get(&execution_id("mine")).await.unwrap();
    assert_eq!((seen.state, seen.attempts.len()), (State::Running, 1));
    assert!(seen.outcome.is_none() && seen.completed_at.is_none());
    let stats = host.executions.query().stats().await.unwrap();
    assert_eq!((stats.running, stats.sync_slots_in_use, stats.tasks), (1, 1, 1));
    host.fake.open_gate(1);
    running.await.unwrap().unwrap();
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn timeouts_have_a_default_and_a_bound() {
    let host = TestHost::new();
    host.finish(call("echo")).await;
    host.finish(Invocation { timeout: Some(5 * SECOND), ..call("echo") }).await;
    assert_eq!(*host.fake.timeouts.lock().unwrap(), [30 * SECOND, 5 * SECOND]);
    let late = host.finish(Invocation { timeout: Some(SECOND), ..sleep(2_000) }).await;
    assert_eq!((late.state, late.duration()), (State::Timeout, SECOND));

    let refusal = |invocation| host.invoke(invocation).map(|reply| reply.unwrap_err().to_string());
    let long = refusal(Invocation { timeout: Some(61 * SECOND), ..call("echo") }).await;
    assert_eq!(long, "timeout: must be at most 60000 ms");
    let often = refusal(Invocation { max_retries: Some(4), ..call("echo") }).await;
    assert_eq!(often, "retries: must be at most 3");
    assert_eq!(host.executions.query().stats().await.unwrap().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_slot_waits_is_refused_and_creates_nothing() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    let running = host.spawn(call("gate"));
    host.fake.wait_for_runs(1).await;
    let began = Instant::now();
    let other = crate::Target::New(crate::testing::fake::spec("other", "file:b"));
    let refused = host.invoke(with_id("mine", Invocation { target: other, ..call("echo") })).await;
    assert!(matches!(refused, Err(RequestError::NoSlot { slots: 1, retry_after }) if retry_after >= SECOND));
    assert_eq!(began.elapsed(), settings().sync.slot_wait);
    assert_eq!(host.task_names(), ["t"]);
    assert!(host.get(&execution_id("mine")).await.is_none());
    host.fake.open_gate(1);
    running.await.unwrap().unwrap();
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn the_usage_has_the_wait_for_the_slot() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    let first = host.spawn(sleep(700));
    host.fake.wait_for_runs(1).await;
    let second = host.finish(call("echo")).await;
    assert_eq!(second.outcome.as_ref().unwrap().usage.queue_wait, Duration::from_millis(700));
    first.await.unwrap().unwrap();
}

/// The caller goes away at each step at which the call waits.
#[tokio::test(start_paused = true)]
async fn a_call_stops_and_holds_nothing_when_its_caller_goes_away() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    *host.fake.prepare_takes.lock().unwrap() = SECOND;
    for (at, name) in [(500, "prepare"), (1_500, "run")] {
        let timed_out = tokio::time::timeout(Duration::from_millis(at), host.invoke(sleep(1_000))).await;
        assert!(timed_out.is_err(), "the call is in the step {name}");
        host.assert_nothing_held();
    }
    let running = host.spawn(with_id("first", sleep(60_000)));
    host.fake.wait_for_runs(2).await;
    let waiting = host.invoke(with_id("mine", call("echo")));
    assert!(
        tokio::time::timeout(settings().sync.slot_wait / 2, waiting).await.is_err(),
        "the call waits for a slot"
    );
    assert!(host.get(&execution_id("mine")).await.is_none(), "the call was not admitted");
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    host.assert_nothing_held();

    let first = host.get(&execution_id("first")).await.unwrap();
    let failure = first.failure().unwrap();
    assert_eq!((first.state, failure.code), (State::Cancelled, FailureCode::Cancelled));
    assert_eq!(failure.message, "the caller went away");
    assert_eq!(first.attempts[0].failure.as_ref(), Some(failure));
    assert_eq!(host.executions.query().stats().await.unwrap().cancelled, 2);
}

/// The same after every number of polls.
#[tokio::test(start_paused = true)]
async fn a_call_dropped_after_any_number_of_polls_holds_nothing() {
    let host = TestHost::with(|s| s.sync.enable_retries = true);
    *host.fake.prepare_takes.lock().unwrap() = Duration::from_millis(2);
    for polls in 0.. {
        host.fake.failures.store(1, SeqCst);
        let mut invoke = Box::pin(host.invoke(with_id(&format!("id-{polls}"), call("flaky"))));
        let mut reply = None;
        for _ in 0..polls {
            reply = invoke.as_mut().now_or_never();
            if reply.is_some() {
                break;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(invoke);
        host.assert_nothing_held();
        if reply.is_some() {
            assert!(polls >= 3, "the call waits for the preparation and between attempts");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_host_fails_only_its_call() {
    let host = TestHost::new();
    let execution = host.finish(call("panic")).await;
    assert_eq!(execution.failure().unwrap().code, FailureCode::HostError);
    assert!(!execution.failure().unwrap().message.contains("bug"), "internal text stays inside");
    assert_eq!(host.finish(call("echo")).await.state, State::Completed);
    let refused = host.invoke(call("bind-panic")).await;
    assert!(matches!(refused, Err(RequestError::Internal(_))), "a panic before the run refuses the call");
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn retries_need_to_be_enabled_and_a_failure_that_they_may_cure() {
    let check = async |enabled: bool, function: &str, failures: u32, attempts: usize, state: State| {
        let host = TestHost::with(|s| s.sync.enable_retries = enabled);
        host.fake.failures.store(failures, SeqCst);
        let execution = host.finish(call(function)).await;
        assert_eq!(execution.attempts.len(), attempts, "{function} {enabled}");
        assert_eq!(execution.state, state, "{function} {enabled}");
        let numbers: Vec<u32> = execution.attempts.iter().map(|a| a.number).collect();
        assert_eq!(numbers, (1..=attempts as u32).collect::<Vec<_>>());
        assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt, attempts as u32);
        host.assert_nothing_held();
    };
    check(false, "flaky", 1, 1, State::Failed).await;
    check(true, "flaky", 2, 3, State::Completed).await;
    check(true, "flaky", 9, 4, State::Failed).await;
    check(true, "trap", 0, 1, State::Failed).await;
    check(true, "panic", 0, 4, State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_the_timeout_of_the_call() {
    for _ in 0..50 {
        let host = TestHost::with(|s| s.sync.enable_retries = true);
        host.fake.failures.store(9, SeqCst);
        let timeout = Duration::from_millis(200);
        let began = Instant::now();
        let execution = host.finish(Invocation { timeout: Some(timeout), ..call("flaky") }).await;
        assert!(began.elapsed() <= timeout, "{:?}", began.elapsed());
        assert_eq!(execution.state, State::Failed);
        let timeouts = host.fake.timeouts.lock().unwrap().clone();
        assert!(timeouts.windows(2).all(|pair| pair[1] <= pair[0]), "{timeouts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_cancelled_between_attempts_too() {
    let host = TestHost::with(|s| s.sync.enable_retries = true);
    host.fake.failures.store(9, SeqCst);
    let running = host.spawn(with_id("mine", call("flaky")));
    host.fake.wait_for_runs(1).await;
    let tenant = TenantId::default();
    let cancelled =
        host.executions.cancellation().cancel(&tenant, &execution_id("mine"), "enough", true).await.unwrap();
    let Ok(Reply::Finished(execution)) = running.await.unwrap() else { panic!("no end") };
    assert_eq!(cancelled, crate::CancelResult::Done);
    assert_eq!((execution.state, execution.attempts.len()), (State::Cancelled, 1));
    assert_eq!(execution.failure().unwrap().message, "enough");
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_gets_the_execution_with_its_id() {
    let host = TestHost::new();
    let first = host.finish(with_id("mine", call("echo"))).await;
    let again = host.finish(with_id("mine", call("echo"))).await;
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(host.fake.runs(), 1);
    assert_eq!(host.executions.query().stats().await.unwrap().completed, 1);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_id_is_refused() {
    let host = TestHost::new();
    host.finish(with_id("mine", call("echo"))).await;
    let others = [
        call("trap"),
        Invocation { parameters: vec![parameter(Value::Null)], ..call("echo") },
        Invocation { timeout: Some(SECOND), ..call("echo") },
        Invocation { max_retries: Some(1), ..call("echo") },
        Invocation { environment: [("A".into(), "b".into())].into(), ..call("echo") },
        Invocation { force_new_instance: true, ..call("echo") },
        Invocation { mode: Mode::Async, ..call("echo") },
        Invocation { target: crate::Target::New(crate::testing::fake::spec("u", "file:b")), ..call("echo") },
    ];
    for other in others {
        let refused = host.invoke(with_id("mine", other.clone())).await;
        assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })), "{other:?}: {refused:?}");
    }
    let other_tenants = Invocation { tenant: TenantId::parse("b").unwrap(), ..call("echo") };
    host.finish(with_id("mine", other_tenants)).await;
    assert_eq!(host.task_names(), ["t"], "a refused call registers no task");
    assert_eq!(host.fake.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_generated_id_cannot_be_used_by_another_call() {
    let host = TestHost::new();
    let first = host.finish(call("echo")).await;
    let refused = host.invoke(with_id(first.id.as_str(), call("echo"))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_synchronous_call_cannot_have_the_id_of_an_asynchronous_call() {
    let host = TestHost::new();
    host.submit(with_id("mine", call("echo"))).await;
    let refused = host.invoke(with_id("mine", call("echo"))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
    host.wait_for(&execution_id("mine"), State::Completed).await;
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_concurrent_calls_with_one_id_are_one_execution() {
    let host = TestHost::new();
    let callers: Vec<_> = (0..1_000).map(|_| host.spawn(with_id("mine", call("gate")))).collect();
    host.fake.wait_for_runs(1).await;
    host.fake.open_gate(1_000);
    let mut ends = Vec::new();
    for caller in callers {
        match caller.await.unwrap() {
            Ok(Reply::Finished(execution)) => ends.push(execution),
            other => panic!("{other:?}"),
        }
    }
    assert!(ends.iter().all(|end| Arc::ptr_eq(end, &ends[0])));
    assert_eq!(host.fake.runs(), 1);
    assert_eq!(
        host.executions.tasks().get(&TenantId::default(), &ends[0].task_id).unwrap().execution_count,
        1
    );
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_runs_if_the_first_one_was_dropped_before_its_run() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1);
    let blocker = host.spawn(call("gate"));
    host.fake.wait_for_runs(1).await;
    let first = host.spawn(with_id("mine", call("echo")));
    while host.executions.sync_executions().get(&TenantId::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    let repeat = host.spawn(with_id("mine", call("echo")));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    host.fake.open_gate(1);
    assert!(matches!(repeat.await.unwrap(), Ok(Reply::Finished(e)) if e.state == State::Completed));
    blocker.await.unwrap().unwrap();
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_does_not_wait_for_ever() {
    let host = TestHost::new();
    // The first call does not stop at its deadline, since its future is not polled then.
    let mut first = pin!(host.invoke(with_id("mine", call("gate"))));
    assert!(first.as_mut().now_or_never().is_none());
    let repeat = host.invoke(with_id("mine", call("gate"))).await;
    let Ok(Reply::Pending { execution, .. }) = repeat else { panic!("{repeat:?}") };
    assert_eq!(execution.state, State::Running);
    assert!(matches!(first.await, Ok(Reply::Finished(_))));
}

/// On several threads, calls end, fail and are dropped at different times.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_slot_is_lost_under_load() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 8);
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let executions = Arc::clone(&host.executions);
            spawn(async move {
                for i in 0..250_u64 {
                    let timeout = Duration::from_micros(i * 7 % 400);
                    let functions = ["echo", "gate", "trap", "panic"];
                    let invocation = call(functions[(i as usize + caller) % 4]);
                    let _ = tokio::time::timeout(timeout, executions.invoke(invocation)).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    host.assert_nothing_held();
    assert_eq!(host.finish(call("echo")).await.state, State::Completed);
}
