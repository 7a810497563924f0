//! Warm pools: how many instances they hold, which calls get them, and when they are
//! dropped.

use crate::rig::{LIMITS, Rig, ended};
use pilum_call::{CallContext, RevisionKey};
use pilum_engine::Code;
use pilum_types::{FunctionName, InstancePolicy, Outcome, Policy, Reuse, TaskId, TaskName, TenantId};
use std::sync::Arc;
use std::time::Duration;

const COUNTER: &str = r#"(module
    (global $calls (mut i32) (i32.const 0))
    (func (export "count") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (global.get $calls))
    (func (export "trap") (result i32) unreachable)
    (func (export "spin") (loop (br 0))))"#;

fn revision(task: &str, revision: u32) -> RevisionKey {
    RevisionKey { tenant: TenantId::default(), task: TaskId::parse(task).unwrap(), revision }
}

fn policy(instances: InstancePolicy) -> Arc<Policy> {
    Arc::new(Policy { instances, ..Policy::default() })
}

async fn call(
    rig: &Rig,
    code: &Arc<Code>,
    function: &str,
    revision: RevisionKey,
    policy: &Arc<Policy>,
) -> Outcome {
    let function = FunctionName::parse(function).unwrap();
    let bound = rig.engine.bind(code, &function, Vec::new()).unwrap();
    let name = TaskName::parse("a-task").unwrap();
    let context = CallContext {
        policy: Arc::clone(policy),
        ..CallContext::new(name, revision.task.clone(), function, LIMITS)
    };
    rig.engine.run(bound, CallContext { revision, ..context }).await
}

async fn count(rig: &Rig, code: &Arc<Code>, revision: RevisionKey, policy: &Arc<Policy>) -> String {
    ended(&call(rig, code, "count", revision, policy).await)
}

/// Waits until the warm pools hold so many instances.
async fn settle(rig: &Rig, warm: usize) {
    let settled = async {
        while rig.engine.warm_instances() != warm {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), settled).await;
    assert!(in_time.is_ok(), "{} instances are warm, not {warm}", rig.engine.warm_instances());
}

#[tokio::test]
async fn a_pool_holds_as_many_instances_as_the_policy_asks_for_and_each_serves_one_call() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    let policy = policy(InstancePolicy { idle_min: 3, ..InstancePolicy::default() });
    let guard = rig.engine.warm_pool_guard(revision("one", 1));
    rig.engine.warm(&revision("one", 1), &code, &policy, LIMITS);
    settle(&rig, 3).await;
    for _ in 0..10 {
        assert_eq!(count(&rig, &code, revision("one", 1), &policy).await, "value Signed(1)");
    }
    settle(&rig, 3).await;
    drop(guard);
    assert_eq!(rig.engine.warm_instances(), 0, "they are dropped with their revision");
}

#[tokio::test]
async fn no_call_gets_the_instance_of_another_task_or_revision() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    let policy = policy(InstancePolicy { reuse: Some(Reuse::default()), ..InstancePolicy::default() });
    for (task, number, expected) in
        [("one", 1, 1), ("one", 1, 2), ("two", 1, 1), ("one", 2, 1), ("one", 1, 3), ("two", 1, 2)]
    {
        let counted = count(&rig, &code, revision(task, number), &policy).await;
        assert_eq!(counted, format!("value Signed({expected})"), "{task} {number}");
    }
}

#[tokio::test]
async fn an_instance_that_failed_is_dropped() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    let policy = policy(InstancePolicy { reuse: Some(Reuse::default()), ..InstancePolicy::default() });
    let one = || revision("one", 1);
    assert_eq!(count(&rig, &code, one(), &policy).await, "value Signed(1)");
    assert!(ended(&call(&rig, &code, "trap", one(), &policy).await).starts_with("TRAP_UNREACHABLE"));
    assert_eq!(count(&rig, &code, one(), &policy).await, "value Signed(1)");
    // Cancelled: the future is dropped.
    let spin = call(&rig, &code, "spin", one(), &policy);
    assert!(tokio::time::timeout(Duration::from_millis(50), spin).await.is_err());
    assert_eq!(count(&rig, &code, one(), &policy).await, "value Signed(1)");
}

#[tokio::test]
async fn old_instances_are_replaced() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    let reuse = Reuse { calls_max: 100, age_max: Duration::from_millis(200) };
    let policy = policy(InstancePolicy { reuse: Some(reuse), ..InstancePolicy::default() });
    assert_eq!(count(&rig, &code, revision("one", 1), &policy).await, "value Signed(1)");
    // Pools are swept once a second.
    settle(&rig, 0).await;
    assert_eq!(count(&rig, &code, revision("one", 1), &policy).await, "value Signed(1)");
}

#[tokio::test]
async fn idle_instances_give_their_slots_to_calls() {
    let rig = Rig::new();
    let code = rig.code(COUNTER).await.unwrap();
    let warmed = policy(InstancePolicy { idle_min: 12, idle_max: 12, ..InstancePolicy::default() });
    rig.engine.warm(&revision("one", 1), &code, &warmed, LIMITS);
    settle(&rig, 12).await;
    // All 16 slots at once, of another task.
    let others = policy(InstancePolicy::default());
    let calls = (0..16).map(|_| async {
        let spin = call(&rig, &code, "spin", revision("two", 1), &others);
        tokio::time::timeout(Duration::from_secs(1), spin).await.is_err()
    });
    let spinning = futures::future::join_all(calls);
    assert!(spinning.await.into_iter().all(|runs| runs), "no call failed because it got no slot");
}

#[tokio::test]
async fn code_that_is_prepared_again_gets_its_own_instances() {
    let rig = Rig::new();
    let policy = policy(InstancePolicy { reuse: Some(Reuse::default()), ..InstancePolicy::default() });
    let first = rig.code(COUNTER).await.unwrap();
    // As after an eviction: the revision is the same, but the code in memory is not.
    let second = rig.code(&COUNTER.replace("spin", "loop")).await.unwrap();
    for (code, expected) in [(&first, 1), (&first, 2), (&second, 1), (&second, 2), (&first, 1)] {
        let counted = count(&rig, code, revision("one", 1), &policy).await;
        assert_eq!(counted, format!("value Signed({expected})"));
    }
}

#[tokio::test]
async fn an_instance_that_cannot_be_made_is_not_tried_without_end() {
    let rig = Rig::new();
    let code = rig.code("(module (func $f unreachable) (start $f) (func (export \"f\")))").await.unwrap();
    let policy = policy(InstancePolicy { idle_min: 2, ..InstancePolicy::default() });
    rig.engine.warm(&revision("one", 1), &code, &policy, LIMITS);
    let outcome = call(&rig, &code, "f", revision("one", 1), &policy).await;
    assert!(
        ended(&outcome).starts_with("TRAP_UNREACHABLE"),
        "the caller gets the error: {}",
        ended(&outcome)
    );
    assert_eq!(rig.engine.warm_instances(), 0);
}
