//! Tests of the retention, in paused time.

use crate::settings::EXPIRE_EVERY;
use crate::testing::fake::{TestHost, call};
use pilum_types::State;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn results_are_removed_soon_after_their_retention_and_not_before() {
    let host = TestHost::new();
    let called = host.finish(call("echo")).await.id.clone();
    let accepted = host.submit(call("echo")).await;
    host.wait_for(&accepted, State::Completed).await;
    let waiting = host.submit(call("gate")).await;
    host.fake.wait_for_runs(3).await;
    let retention = host.executions.settings().asynchronous.status_retention;

    tokio::time::sleep(retention - Duration::from_secs(1)).await;
    assert!(host.get(&called).await.is_some());
    assert!(host.get(&accepted).await.is_some());
    tokio::time::sleep(Duration::from_secs(1) + 2 * EXPIRE_EVERY).await;
    assert!(host.get(&called).await.is_none());
    assert!(host.get(&accepted).await.is_none());
    assert!(host.get(&waiting).await.is_some(), "a running execution does not expire");
}

#[tokio::test(start_paused = true)]
async fn one_removal_may_have_several_batches() {
    let many = 2 * super::BATCH + 1;
    let host = TestHost::with(|s| {
        s.asynchronous.max_concurrent_executions = 0;
        s.asynchronous.max_queue_size = many;
        s.asynchronous.status_retention = Duration::from_secs(3600);
    });
    let mut ids = Vec::new();
    for _ in 0..many {
        let id = host.submit(call("echo")).await;
        host.executions.cancellation().cancel(&Default::default(), &id, "", false).await.unwrap();
        ids.push(id);
    }
    host.executions.queue().remove_expired().await;
    assert!(host.get(&ids[0]).await.is_some());
    tokio::time::advance(Duration::from_secs(3601)).await;
    host.executions.queue().remove_expired().await;
    for id in &ids {
        assert!(host.get(id).await.is_none());
    }
}
