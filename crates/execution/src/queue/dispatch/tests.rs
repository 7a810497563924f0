//! Claiming under paused time.

use crate::testing::fake::{Rig, call, sleep};
use crate::{Invocation, Schedule};
use pilum_types::{FailureCode, Priority, State};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_is_claimed_and_has_not_begun_is_handed_back() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    // A slow store and fast runs: so the dispatcher claims ahead.
    for _ in 0..3 {
        let id = rig.submit(call("echo")).await;
        rig.reaches(&id, State::Completed).await;
    }
    rig.executions.queue().record_claim_time(Duration::from_secs(10));
    let running = rig.submit(call("gate")).await;
    let waiting = rig.submit(call("echo")).await;
    rig.fake.entered(4).await;
    rig.reaches(&waiting, State::Running).await;
    let drained = {
        let executions = std::sync::Arc::clone(&rig.executions);
        crate::testing::fake::spawn(async move { executions.drain(Duration::from_secs(5)).await })
    };
    let back = rig.reaches(&waiting, State::Pending).await;
    assert_eq!(back.attempts.len(), 0, "no attempt is counted that did not begin");
    rig.fake.open(1);
    drained.await.unwrap();
    assert_eq!(rig.get(&running).await.unwrap().state, State::Completed);
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn urgent_work_runs_first_and_scheduled_work_when_it_is_due() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let blocker = rig.submit(sleep(1_000)).await;
    rig.fake.entered(1).await;
    let with = |schedule| Invocation { schedule, ..sleep(100) };
    let normal = rig.submit(with(Schedule::default())).await;
    let urgent = rig.submit(with(Schedule { priority: Priority::Urgent, ..Schedule::default() })).await;
    let due = rig.executions.ctx().clock.now() + Duration::from_secs(60);
    let later = rig.submit(with(Schedule { not_before: Some(due), ..Schedule::default() })).await;
    assert_eq!(rig.get(&urgent).await.unwrap().queue_position, Some(1));
    rig.reaches(&blocker, State::Completed).await;
    let urgent = rig.reaches(&urgent, State::Completed).await;
    let normal = rig.reaches(&normal, State::Completed).await;
    assert!(urgent.completed_at < normal.completed_at);
    let later = rig.reaches(&later, State::Completed).await;
    let late = later.started_at.unwrap().duration_since(due).expect("not before its time");
    assert!(late <= Duration::from_millis(2), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_end_before_its_deadline_is_not_run() {
    let rig = Rig::with(|s| s.asynchronous.max_concurrent_executions = 1);
    let known = rig.submit(sleep(4_000)).await;
    rig.reaches(&known, State::Completed).await;
    let blocker = rig.submit(sleep(4_000)).await;
    rig.fake.entered(2).await;
    let deadline = Some(rig.executions.ctx().clock.now() + Duration::from_secs(7));
    let schedule = Schedule { deadline, ..Schedule::default() };
    // It starts after 4 s and takes 4 s.
    let hopeless = rig.submit(Invocation { schedule, ..sleep(4_000) }).await;
    let execution = rig.reaches(&hopeless, State::Timeout).await;
    assert_eq!(execution.attempts.len(), 0);
    let took = execution.completed_at.unwrap().duration_since(execution.accepted_at).unwrap();
    assert!(took < Duration::from_millis(3_100), "it is told as soon as it is known: {took:?}");
    assert_eq!(execution.failure().unwrap().code, FailureCode::DeadlineExceeded);
    rig.reaches(&blocker, State::Completed).await;
    assert_eq!(rig.executions.query().stats().await.unwrap().timed_out, 1);

    // One that has begun is stopped at its deadline.
    let deadline = Some(rig.executions.ctx().clock.now() + Duration::from_secs(2));
    let cut = rig
        .submit(Invocation { schedule: Schedule { deadline, ..Schedule::default() }, ..call("gate") })
        .await;
    let execution = rig.reaches(&cut, State::Timeout).await;
    assert!(execution.duration() <= Duration::from_secs(2), "{:?}", execution.duration());
    rig.assert_idle();
}
