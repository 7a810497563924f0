//! Tests of the dispatcher, in paused time.

use crate::testing::fake::{TestHost, call, sleep};
use crate::{Invocation, Schedule};
use pilum_types::{FailureCode, Priority, State};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_claimed_execution_that_has_not_begun_is_handed_back() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    // Runs are shorter than claims, so the dispatcher claims executions early.
    for _ in 0..3 {
        let id = host.submit(call("echo")).await;
        host.wait_for(&id, State::Completed).await;
    }
    host.executions.queue().record_claim_time(Duration::from_secs(10));
    let running = host.submit(call("gate")).await;
    let waiting = host.submit(call("echo")).await;
    host.fake.wait_for_runs(4).await;
    host.wait_for(&waiting, State::Running).await;
    let drained = {
        let executions = std::sync::Arc::clone(&host.executions);
        crate::testing::fake::spawn(async move { executions.drain(Duration::from_secs(5)).await })
    };
    let handed_back = host.wait_for(&waiting, State::Pending).await;
    assert_eq!(handed_back.attempts.len(), 0, "an attempt that did not begin is not counted");
    host.fake.open_gate(1);
    drained.await.unwrap();
    assert_eq!(host.get(&running).await.unwrap().state, State::Completed);
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn urgent_work_runs_first_and_scheduled_work_when_it_is_due() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let blocker = host.submit(sleep(1_000)).await;
    host.fake.wait_for_runs(1).await;
    let with = |schedule| Invocation { schedule, ..sleep(100) };
    let normal = host.submit(with(Schedule::default())).await;
    let urgent = host.submit(with(Schedule { priority: Priority::Urgent, ..Schedule::default() })).await;
    let due = host.executions.ctx().clock.now() + Duration::from_secs(60);
    let later = host.submit(with(Schedule { not_before: Some(due), ..Schedule::default() })).await;
    assert_eq!(host.get(&urgent).await.unwrap().queue_position, Some(1));
    host.wait_for(&blocker, State::Completed).await;
    let urgent = host.wait_for(&urgent, State::Completed).await;
    let normal = host.wait_for(&normal, State::Completed).await;
    assert!(urgent.completed_at < normal.completed_at);
    let later = host.wait_for(&later, State::Completed).await;
    let late = later.started_at.unwrap().duration_since(due).expect("it starts when it is due, or later");
    assert!(late <= Duration::from_millis(2), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_cannot_meet_its_deadline_is_not_run() {
    let host = TestHost::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let first = host.submit(sleep(4_000)).await;
    host.wait_for(&first, State::Completed).await;
    let blocker = host.submit(sleep(4_000)).await;
    host.fake.wait_for_runs(2).await;
    let deadline = Some(host.executions.ctx().clock.now() + Duration::from_secs(7));
    let schedule = Schedule { deadline, ..Schedule::default() };
    // It could start after 4 s and takes 4 s.
    let too_late = host.submit(Invocation { schedule, ..sleep(4_000) }).await;
    let execution = host.wait_for(&too_late, State::Timeout).await;
    assert_eq!(execution.attempts.len(), 0);
    let took = execution.completed_at.unwrap().duration_since(execution.accepted_at).unwrap();
    assert!(took < Duration::from_millis(3_100), "it ends as soon as it cannot meet the deadline: {took:?}");
    assert_eq!(execution.failure().unwrap().code, FailureCode::DeadlineExceeded);
    host.wait_for(&blocker, State::Completed).await;
    assert_eq!(host.executions.query().stats().await.unwrap().timed_out, 1);

    // An execution that has begun is stopped at its deadline.
    let deadline = Some(host.executions.ctx().clock.now() + Duration::from_secs(2));
    let stopped = host
        .submit(Invocation { schedule: Schedule { deadline, ..Schedule::default() }, ..call("gate") })
        .await;
    let execution = host.wait_for(&stopped, State::Timeout).await;
    assert!(execution.duration() <= Duration::from_secs(2), "{:?}", execution.duration());
    host.assert_nothing_held();
}
