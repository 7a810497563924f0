//! Tests of dead letters, in paused time.

use crate::testing::fake::{TestHost, call, execution_id};
use crate::{Invocation, ListQuery, RequestError};
use pilum_types::{ExecutionId, State, TenantId};
use std::sync::atomic::Ordering::SeqCst;

async fn dead_letters(host: &TestHost) -> Vec<ExecutionId> {
    let query = ListQuery { dead_letters: true, limit: 10, ..ListQuery::default() };
    let found = host.executions.query().list(&TenantId::default(), &query).await.unwrap();
    found.into_iter().map(|listed| listed.id).collect()
}

/// A host with one dead letter.
async fn host_with_dead_letter() -> (TestHost, ExecutionId) {
    let host = TestHost::new();
    host.fake.failures.store(2, SeqCst);
    let id = host.submit(Invocation { max_retries: Some(1), ..call("flaky") }).await;
    assert!(host.wait_for(&id, State::Failed).await.is_dead_letter);
    (host, id)
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_redriven_once() {
    let (host, id) = host_with_dead_letter().await;
    assert_eq!(dead_letters(&host).await, std::slice::from_ref(&id));
    let redrive = async || host.executions.dead_letters().redrive(&TenantId::default(), &id).await.unwrap();
    let new_id = redrive().await.unwrap();
    let execution = host.wait_for(&new_id, State::Completed).await;
    assert_eq!(execution.attempts.len(), 1);
    assert_eq!(dead_letters(&host).await, []);
    assert_eq!(redrive().await, None);
    let old = host.get(&id).await.unwrap();
    assert_eq!((old.state, old.is_dead_letter), (State::Failed, false), "its end is final");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_discarded() {
    let (host, id) = host_with_dead_letter().await;
    let discard = async |id: &ExecutionId| {
        host.executions.dead_letters().discard(&TenantId::default(), id).await.unwrap()
    };
    assert!(discard(&id).await && !discard(&id).await && !discard(&execution_id("none")).await);
    assert_eq!(dead_letters(&host).await, []);
    assert!(!host.get(&id).await.unwrap().is_dead_letter);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_stays_if_its_call_is_not_accepted() {
    let (host, id) = host_with_dead_letter().await;
    let tenant = TenantId::default();
    let other_tenant = TenantId::parse("b").unwrap();
    assert_eq!(host.executions.dead_letters().redrive(&other_tenant, &id).await.unwrap(), None);
    let task = host.get(&id).await.unwrap().task_id.clone();
    host.executions.deletion().delete_task(&tenant, &task, false, false).await.unwrap();
    let refused = host.executions.dead_letters().redrive(&tenant, &id).await;
    assert!(matches!(refused, Err(RequestError::TaskNotFound { .. })), "{refused:?}");
    assert_eq!(dead_letters(&host).await, [id]);
}
