//! The synchronous door under paused time.

use crate::testing::fake::{Rig, call, execution_id, parameter, settings, sleep, spawn, under};
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
async fn a_call_ends_in_its_callers_hands_without_the_store() {
    let rig = Rig::over(NoStore, |s| s.asynchronous.max_concurrent_executions = 0);
    let input = Invocation { parameters: vec![parameter(Value::Signed(7))], ..call("echo") };
    let execution = rig.finish(input).await;
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Ok(Output::Typed(Value::Signed(7))));
    assert_eq!(outcome.usage.attempt, 1);
    assert_eq!((execution.state, execution.mode), (State::Completed, Mode::Sync));
    assert_eq!(execution.attempts.len(), 1);
    let found = rig.get(&execution.id).await.unwrap();
    assert!(Arc::ptr_eq(&found, &execution), "the record is what the caller got");
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn the_record_tells_when_and_how_long() {
    let rig = Rig::new();
    let before = rig.executions.ctx().clock.now();
    let execution = rig.finish(sleep(250)).await;
    assert_eq!(execution.accepted_at, before);
    assert_eq!(execution.duration(), Duration::from_millis(250));
    assert_eq!(execution.attempts[0].took, Some(Duration::from_millis(250)));
    let stats = rig.executions.query().stats().await.unwrap();
    assert_eq!((stats.completed, stats.guest_time), (1, Duration::from_millis(250)));
    assert_eq!(rig.executions.query().calls_by_function(&TenantId::default(), 5), [("sleep".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_running_call_is_found_by_id() {
    let rig = Rig::new();
    let running = rig.spawn(under("mine", call("gate")));
    rig.fake.entered(1).await;
    let seen = rig.get(&execution_id("mine")).await.unwrap();
    assert_eq!((seen.state, seen.attempts.len()), (State::Running, 1));
    assert!(seen.outcome.is_none() && seen.completed_at.is_none());
    let stats = rig.executions.query().stats().await.unwrap();
    assert_eq!((stats.running, stats.sync_slots_in_use, stats.tasks), (1, 1, 1));
    rig.fake.open(1);
    running.await.unwrap().unwrap();
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn timeouts_have_a_default_and_a_bound() {
    let rig = Rig::new();
    rig.finish(call("echo")).await;
    rig.finish(Invocation { timeout: Some(5 * SECOND), ..call("echo") }).await;
    assert_eq!(*rig.fake.timeouts.lock().unwrap(), [30 * SECOND, 5 * SECOND]);
    let late = rig.finish(Invocation { timeout: Some(SECOND), ..sleep(2_000) }).await;
    assert_eq!((late.state, late.duration()), (State::Timeout, SECOND));

    let refusal = |invocation| rig.invoke(invocation).map(|reply| reply.unwrap_err().to_string());
    let long = refusal(Invocation { timeout: Some(61 * SECOND), ..call("echo") }).await;
    assert_eq!(long, "timeout: must be at most 60000 ms");
    let often = refusal(Invocation { max_retries: Some(4), ..call("echo") }).await;
    assert_eq!(often, "retries: must be at most 3");
    assert_eq!(rig.executions.query().stats().await.unwrap().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_a_call_waits_and_then_is_refused_and_creates_nothing() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let running = rig.spawn(call("gate"));
    rig.fake.entered(1).await;
    let began = Instant::now();
    let other = crate::Target::New(crate::testing::fake::spec("other", "file:b"));
    let refused = rig.invoke(under("mine", Invocation { target: other, ..call("echo") })).await;
    assert!(matches!(refused, Err(RequestError::NoSlot { slots: 1, retry_after }) if retry_after >= SECOND));
    assert_eq!(began.elapsed(), settings().sync.slot_wait);
    assert_eq!(rig.task_names(), ["t"]);
    assert!(rig.get(&execution_id("mine")).await.is_none());
    rig.fake.open(1);
    running.await.unwrap().unwrap();
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn the_receipt_tells_how_long_the_call_waited_for_its_slot() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let first = rig.spawn(sleep(700));
    rig.fake.entered(1).await;
    let second = rig.finish(call("echo")).await;
    assert_eq!(second.outcome.as_ref().unwrap().usage.queue_wait, Duration::from_millis(700));
    first.await.unwrap().unwrap();
}

/// The caller goes away at every point at which the call waits.
#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_takes_everything_along() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    *rig.fake.prepare_takes.lock().unwrap() = SECOND;
    for (at, name) in [(500, "prepare"), (1_500, "run")] {
        let left = tokio::time::timeout(Duration::from_millis(at), rig.invoke(sleep(1_000))).await;
        assert!(left.is_err(), "it was still in {name}");
        rig.assert_idle();
    }
    let running = rig.spawn(under("first", sleep(60_000)));
    rig.fake.entered(2).await;
    let waiting = rig.invoke(under("mine", call("echo")));
    assert!(
        tokio::time::timeout(settings().sync.slot_wait / 2, waiting).await.is_err(),
        "it was still waiting for a slot"
    );
    assert!(rig.get(&execution_id("mine")).await.is_none(), "it was never admitted");
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    rig.assert_idle();

    let first = rig.get(&execution_id("first")).await.unwrap();
    let failure = first.failure().unwrap();
    assert_eq!((first.state, failure.code), (State::Cancelled, FailureCode::Cancelled));
    assert_eq!(failure.message, "the caller went away");
    assert_eq!(first.attempts[0].failure.as_ref(), Some(failure));
    assert_eq!(rig.executions.query().stats().await.unwrap().cancelled, 2);
}

/// The same, poll by poll.
#[tokio::test(start_paused = true)]
async fn a_call_dropped_after_any_number_of_polls_holds_nothing() {
    let rig = Rig::with(|s| s.sync.enable_retries = true);
    *rig.fake.prepare_takes.lock().unwrap() = Duration::from_millis(2);
    for polls in 0.. {
        rig.fake.failures.store(1, SeqCst);
        let mut invoke = Box::pin(rig.invoke(under(&format!("id-{polls}"), call("flaky"))));
        let mut reply = None;
        for _ in 0..polls {
            reply = invoke.as_mut().now_or_never();
            if reply.is_some() {
                break;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(invoke);
        rig.assert_idle();
        if reply.is_some() {
            assert!(polls >= 3, "it waits for the preparation and between attempts");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_host_is_that_calls_failure_alone() {
    let rig = Rig::new();
    let execution = rig.finish(call("panic")).await;
    assert_eq!(execution.failure().unwrap().code, FailureCode::HostError);
    assert!(!execution.failure().unwrap().message.contains("bug"), "internal text stays inside");
    assert_eq!(rig.finish(call("echo")).await.state, State::Completed);
    let refused = rig.invoke(call("bind-panic")).await;
    assert!(matches!(refused, Err(RequestError::Internal(_))), "and one before the run refuses the call");
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_only_where_that_is_enabled_and_may_help() {
    let check = async |enabled: bool, function: &str, failures: u32, attempts: usize, state: State| {
        let rig = Rig::with(|s| s.sync.enable_retries = enabled);
        rig.fake.failures.store(failures, SeqCst);
        let execution = rig.finish(call(function)).await;
        assert_eq!(execution.attempts.len(), attempts, "{function} {enabled}");
        assert_eq!(execution.state, state, "{function} {enabled}");
        let numbers: Vec<u32> = execution.attempts.iter().map(|a| a.number).collect();
        assert_eq!(numbers, (1..=attempts as u32).collect::<Vec<_>>());
        assert_eq!(execution.outcome.as_ref().unwrap().usage.attempt, attempts as u32);
        rig.assert_idle();
    };
    check(false, "flaky", 1, 1, State::Failed).await;
    check(true, "flaky", 2, 3, State::Completed).await;
    check(true, "flaky", 9, 4, State::Failed).await;
    check(true, "trap", 0, 1, State::Failed).await;
    check(true, "panic", 0, 4, State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_the_calls_time() {
    for _ in 0..50 {
        let rig = Rig::with(|s| s.sync.enable_retries = true);
        rig.fake.failures.store(9, SeqCst);
        let timeout = Duration::from_millis(200);
        let began = Instant::now();
        let execution = rig.finish(Invocation { timeout: Some(timeout), ..call("flaky") }).await;
        assert!(began.elapsed() <= timeout, "{:?}", began.elapsed());
        assert_eq!(execution.state, State::Failed);
        let timeouts = rig.fake.timeouts.lock().unwrap().clone();
        assert!(timeouts.windows(2).all(|pair| pair[1] <= pair[0]), "{timeouts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_cancelled_between_attempts_too() {
    let rig = Rig::with(|s| s.sync.enable_retries = true);
    rig.fake.failures.store(9, SeqCst);
    let running = rig.spawn(under("mine", call("flaky")));
    rig.fake.entered(1).await;
    let tenant = TenantId::default();
    let cancelled =
        rig.executions.cancellation().cancel(&tenant, &execution_id("mine"), "enough", true).await.unwrap();
    let Ok(Reply::Finished(execution)) = running.await.unwrap() else { panic!("no end") };
    assert_eq!(cancelled, crate::CancelResult::Done);
    assert_eq!((execution.state, execution.attempts.len()), (State::Cancelled, 1));
    assert_eq!(execution.failure().unwrap().message, "enough");
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_repeat_gets_the_execution_that_has_its_id() {
    let rig = Rig::new();
    let first = rig.finish(under("mine", call("echo"))).await;
    let again = rig.finish(under("mine", call("echo"))).await;
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(rig.fake.runs(), 1);
    assert_eq!(rig.executions.query().stats().await.unwrap().completed, 1);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_id_is_refused() {
    let rig = Rig::new();
    rig.finish(under("mine", call("echo"))).await;
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
        let refused = rig.invoke(under("mine", other.clone())).await;
        assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })), "{other:?}: {refused:?}");
    }
    let elsewhere = Invocation { tenant: TenantId::parse("b").unwrap(), ..call("echo") };
    rig.finish(under("mine", elsewhere)).await;
    assert_eq!(rig.task_names(), ["t"], "what was refused registered nothing");
    assert_eq!(rig.fake.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_made_id_is_nobody_elses_to_use() {
    let rig = Rig::new();
    let first = rig.finish(call("echo")).await;
    let refused = rig.invoke(under(first.id.as_str(), call("echo"))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_id_in_the_store_is_not_a_synchronous_calls() {
    let rig = Rig::new();
    rig.submit(under("mine", call("echo"))).await;
    let refused = rig.invoke(under("mine", call("echo"))).await;
    assert!(matches!(refused, Err(RequestError::ExecutionExists { .. })));
    rig.reaches(&execution_id("mine"), State::Completed).await;
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_racers_with_one_id_are_one_execution() {
    let rig = Rig::new();
    let racers: Vec<_> = (0..1_000).map(|_| rig.spawn(under("mine", call("gate")))).collect();
    rig.fake.entered(1).await;
    rig.fake.open(1_000);
    let mut ends = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(Reply::Finished(execution)) => ends.push(execution),
            other => panic!("{other:?}"),
        }
    }
    assert!(ends.iter().all(|end| Arc::ptr_eq(end, &ends[0])));
    assert_eq!(rig.fake.runs(), 1);
    assert_eq!(
        rig.executions.tasks().get(&TenantId::default(), &ends[0].task_id).unwrap().execution_count,
        1
    );
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_repeat_takes_over_from_a_first_that_never_ran() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1);
    let blocker = rig.spawn(call("gate"));
    rig.fake.entered(1).await;
    let first = rig.spawn(under("mine", call("echo")));
    while rig.executions.sync_executions().get(&TenantId::default(), &execution_id("mine")).is_none() {
        tokio::task::yield_now().await;
    }
    let repeat = rig.spawn(under("mine", call("echo")));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    rig.fake.open(1);
    assert!(matches!(repeat.await.unwrap(), Ok(Reply::Finished(e)) if e.state == State::Completed));
    blocker.await.unwrap().unwrap();
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_repeat_does_not_wait_for_ever() {
    let rig = Rig::new();
    // A guest that overstays: its future is not polled at its deadline.
    let mut first = pin!(rig.invoke(under("mine", call("gate"))));
    assert!(first.as_mut().now_or_never().is_none());
    let repeat = rig.invoke(under("mine", call("gate"))).await;
    let Ok(Reply::Pending { execution, .. }) = repeat else { panic!("{repeat:?}") };
    assert_eq!(execution.state, State::Running);
    assert!(matches!(first.await, Ok(Reply::Finished(_))));
}

/// On several threads: calls that come, end, fail and are dropped at random.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_slot_is_lost_under_load() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 8);
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let executions = Arc::clone(&rig.executions);
            spawn(async move {
                for i in 0..250_u64 {
                    let patience = Duration::from_micros(i * 7 % 400);
                    let functions = ["echo", "gate", "trap", "panic"];
                    let invocation = call(functions[(i as usize + caller) % 4]);
                    let _ = tokio::time::timeout(patience, executions.invoke(invocation)).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    rig.assert_idle();
    assert_eq!(rig.finish(call("echo")).await.state, State::Completed);
}
