//! Retention under paused time.

use crate::settings::RETENTION_SWEEP_EVERY;
use crate::testing::fake::{Rig, call};
use pilum_types::State;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn results_are_kept_for_their_time_and_gone_soon_after() {
    let rig = Rig::new();
    let called = rig.finish(call("echo")).await.id.clone();
    let accepted = rig.submit(call("echo")).await;
    rig.reaches(&accepted, State::Completed).await;
    let waiting = rig.submit(call("gate")).await;
    rig.fake.entered(3).await;
    let retention = rig.executions.settings().asynchronous.status_retention;

    tokio::time::sleep(retention - Duration::from_secs(1)).await;
    assert!(rig.get(&called).await.is_some());
    assert!(rig.get(&accepted).await.is_some());
    tokio::time::sleep(Duration::from_secs(1) + 2 * RETENTION_SWEEP_EVERY).await;
    assert!(rig.get(&called).await.is_none());
    assert!(rig.get(&accepted).await.is_none());
    assert!(rig.get(&waiting).await.is_some(), "what has not ended does not expire");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_batch_goes_in_one_sweep() {
    let many = 2 * super::BATCH + 1;
    let rig = Rig::with(|s| {
        s.asynchronous.max_concurrent_executions = 0;
        s.asynchronous.max_queue_size = many;
        s.asynchronous.status_retention = Duration::from_secs(3600);
    });
    let mut ids = Vec::new();
    for _ in 0..many {
        let id = rig.submit(call("echo")).await;
        rig.executions.cancellation().cancel(&Default::default(), &id, "", false).await.unwrap();
        ids.push(id);
    }
    rig.executions.queue().remove_expired().await;
    assert!(rig.get(&ids[0]).await.is_some());
    tokio::time::advance(Duration::from_secs(3601)).await;
    rig.executions.queue().remove_expired().await;
    for id in &ids {
        assert!(rig.get(id).await.is_none());
    }
}
