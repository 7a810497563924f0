//! Dead letters under paused time.

use crate::testing::fake::{Rig, call, execution_id};
use crate::{Invocation, ListQuery, RequestError};
use pilum_types::{ExecutionId, State, TenantId};
use std::sync::atomic::Ordering::SeqCst;

async fn dead(rig: &Rig) -> Vec<ExecutionId> {
    let query = ListQuery { dead_letters: true, limit: 10, ..ListQuery::default() };
    let found = rig.executions.query().list(&TenantId::default(), &query).await.unwrap();
    found.into_iter().map(|listed| listed.id).collect()
}

/// A host with one dead letter.
async fn rig() -> (Rig, ExecutionId) {
    let rig = Rig::new();
    rig.fake.failures.store(2, SeqCst);
    let id = rig.submit(Invocation { max_retries: Some(1), ..call("flaky") }).await;
    assert!(rig.reaches(&id, State::Failed).await.is_dead_letter);
    (rig, id)
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_run_anew_once() {
    let (rig, id) = rig().await;
    assert_eq!(dead(&rig).await, std::slice::from_ref(&id));
    let redrive = async || rig.executions.dead_letters().redrive(&TenantId::default(), &id).await.unwrap();
    let anew = redrive().await.unwrap();
    let execution = rig.reaches(&anew, State::Completed).await;
    assert_eq!(execution.attempts.len(), 1);
    assert_eq!(dead(&rig).await, []);
    assert_eq!(redrive().await, None);
    let old = rig.get(&id).await.unwrap();
    assert_eq!((old.state, old.is_dead_letter), (State::Failed, false), "its end is final");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_given_up() {
    let (rig, id) = rig().await;
    let discard = async |id: &ExecutionId| {
        rig.executions.dead_letters().discard(&TenantId::default(), id).await.unwrap()
    };
    assert!(discard(&id).await && !discard(&id).await && !discard(&execution_id("none")).await);
    assert_eq!(dead(&rig).await, []);
    assert!(!rig.get(&id).await.unwrap().is_dead_letter);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_accepted_stays_dead() {
    let (rig, id) = rig().await;
    let tenant = TenantId::default();
    let stranger = TenantId::parse("b").unwrap();
    assert_eq!(rig.executions.dead_letters().redrive(&stranger, &id).await.unwrap(), None);
    let task = rig.get(&id).await.unwrap().task_id.clone();
    rig.executions.deletion().delete_task(&tenant, &task, false, false).await.unwrap();
    let refused = rig.executions.dead_letters().redrive(&tenant, &id).await;
    assert!(matches!(refused, Err(RequestError::TaskNotFound { .. })), "{refused:?}");
    assert_eq!(dead(&rig).await, [id]);
}
