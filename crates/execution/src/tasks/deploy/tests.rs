//! Tests of deployments while calls run, over the memory store.

use super::*;
use crate::testing::fake::{TestHost, call, digest, spawn, spec};
use crate::{Invocation, Target};
use pilum_types::State;
use pilum_types::{Policy, PolicyLimits};
use std::time::Duration;

fn tenant() -> TenantId {
    TenantId::default()
}

fn numbers(task: &Task) -> (u32, Vec<u32>) {
    (task.revision, task.others.iter().map(|other| other.number).collect())
}

#[tokio::test(start_paused = true)]
async fn other_code_under_the_same_name_is_a_new_revision() {
    let host = TestHost::new();
    let first = host.executions.tasks().deploy(&tenant(), spec("a", "file:one")).await.unwrap();
    assert!(first.changed);
    let again = host.executions.tasks().deploy(&tenant(), spec("a", "file:one-copy")).await.unwrap();
    assert!(!again.changed, "the same code from another location changes nothing");
    let second = host.executions.tasks().deploy(&tenant(), spec("a", "file:two")).await.unwrap();
    assert_eq!(second.task.id, first.task.id);
    assert_eq!(numbers(&second.task), (2, vec![1]));
    let view = host.executions.tasks().get(&tenant(), &first.task.id).unwrap();
    assert_eq!(view.task.digest, digest("file:two"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_activates_the_revision_before_and_removes_none() {
    let host = TestHost::new();
    let id = host.executions.tasks().deploy(&tenant(), spec("a", "file:one")).await.unwrap().task.id.clone();
    let refused = host.executions.tasks().rollback(&tenant(), &id, None).await.unwrap_err();
    assert!(matches!(refused, RequestError::RevisionNotFound { number: None, .. }), "{refused:?}");
    host.executions.tasks().deploy(&tenant(), spec("a", "file:two")).await.unwrap();
    let first_again = host.executions.tasks().rollback(&tenant(), &id, None).await.unwrap();
    assert_eq!((numbers(&first_again.task), first_again.task.digest), ((1, vec![2]), digest("file:one")));
    let second_again = host.executions.tasks().rollback(&tenant(), &id, Some(2)).await.unwrap();
    assert_eq!(numbers(&second_again.task), (2, vec![1]));
    let third = host.executions.tasks().deploy(&tenant(), spec("a", "file:three")).await.unwrap();
    assert_eq!(numbers(&third.task), (3, vec![1, 2]), "no number is used twice");
    let refused = host.executions.tasks().rollback(&tenant(), &id, Some(9)).await.unwrap_err();
    insta::assert_snapshot!(refused, @"the task has no revision 9; its revisions are 1, 2, 3");
}

#[tokio::test(start_paused = true)]
async fn a_running_call_ends_after_a_deployment_and_is_counted() {
    let host = TestHost::new();
    let id = host.executions.tasks().deploy(&tenant(), spec("a", "file:one")).await.unwrap().task.id.clone();
    let target = Target::Existing { id: id.clone(), otherwise: None };
    let invocation = Invocation { target, ..call("gate") };
    let running = spawn({
        let executions = Arc::clone(&host.executions);
        async move { executions.invoke(invocation).await }
    });
    host.fake.wait_for_runs(1).await;
    host.executions.tasks().deploy(&tenant(), spec("a", "file:two")).await.unwrap();
    host.fake.open_gate(1);
    running.await.unwrap().unwrap();
    let view = host.executions.tasks().get(&tenant(), &id).unwrap();
    assert_eq!((view.execution_count, view.last_state), (1, Some(State::Completed)));
}

#[tokio::test(start_paused = true)]
async fn only_the_latest_revisions_are_stored() {
    let host = TestHost::new();
    let mut task = None;
    for i in 0..15 {
        task = Some(
            host.executions.tasks().deploy(&tenant(), spec("a", &format!("file:{i}"))).await.unwrap().task,
        );
    }
    assert_eq!(numbers(&task.unwrap()), (15, (5..15).collect()));
}

#[tokio::test(start_paused = true)]
async fn a_policy_beyond_the_hosts_bounds_is_refused_and_another_applies() {
    let host = TestHost::new();
    let with = |limits: PolicyLimits| TaskSpec {
        policy: Arc::new(Policy { limits, ..Policy::default() }),
        ..spec("a", "file:one")
    };
    let memory = PolicyLimits { memory_max_bytes: Some(u64::MAX), ..PolicyLimits::default() };
    let refused = host.executions.tasks().deploy(&tenant(), with(memory)).await.unwrap_err();
    insta::assert_snapshot!(refused, @"memory limit of the policy: must be at most 1048576 bytes, which is this host's bound");
    let timeout = PolicyLimits { timeout: Some(Duration::from_secs(3)), ..PolicyLimits::default() };
    let id = host.executions.tasks().deploy(&tenant(), with(timeout)).await.unwrap().task.id.clone();
    let target = Target::Existing { id, otherwise: None };
    host.finish(Invocation { target, ..call("echo") }).await;
    assert_eq!(*host.fake.timeouts.lock().unwrap(), [Duration::from_secs(3)]);
}
