//! Tests of the record of synchronous executions: ids, listings and eviction.

use super::*;
use crate::Mode;
use pilum_types::{Failure, FailureCode, FunctionName, Outcome, Output, State, Usage};
use std::time::{Duration, UNIX_EPOCH};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn run(tenant: &str, id: &str, task: &str) -> Arc<SyncExecution> {
    let key = Key::new(TenantId::parse(tenant).unwrap(), ExecutionId::parse(id).unwrap());
    let function = FunctionName::parse("f").unwrap();
    Arc::new(SyncExecution::new(key, TaskId::parse(task).unwrap(), function, Mode::Sync, None))
}

/// Inserts a running execution.
fn begin(executions: &SyncExecutions, tenant: &str, id: &str, task: &str) -> Arc<SyncExecution> {
    let run = run(tenant, id, task);
    run.admit(at(0));
    executions.insert(Arc::clone(&run));
    run
}

/// Inserts an ended execution that counts as this many bytes.
fn end(executions: &SyncExecutions, id: &str, when: u64, bytes: usize) {
    let run = begin(executions, "a", id, "t");
    run.end(done(), at(when));
    executions.add_ended(&run, at(when), bytes);
}

fn done() -> Outcome {
    Outcome { result: Ok(Output::Raw(Vec::new())), usage: Usage::default(), log: Vec::new(), instance: None }
}

fn index_of(shard: &Shard) -> usize {
    shard_index(&shard.ended.back().expect("the shard is full").execution.key)
}

fn ids(executions: &SyncExecutions, tenant: &str, query: &ListQuery) -> Vec<String> {
    let executions = executions.list(&TenantId::parse(tenant).unwrap(), query);
    executions.iter().map(|execution| execution.id.as_str().to_owned()).collect()
}

fn all() -> ListQuery {
    ListQuery { limit: usize::MAX, ..ListQuery::default() }
}

/// Bounds that some hundred executions reach in every shard.
fn small() -> SyncExecutions {
    SyncExecutions::bounded(Bounds { per_shard: 2, bytes: 1_000_000 })
}

#[test]
fn the_oldest_ended_executions_are_evicted_first_and_running_ones_stay() {
    let executions = small();
    let running: Vec<_> = (0..100).map(|i| begin(&executions, "a", &format!("r{i:03}"), "t")).collect();
    for i in 0..500 {
        end(&executions, &format!("e{i:03}"), i, 1);
    }
    let kept = ids(&executions, "a", &all());
    let ended: Vec<_> = kept.iter().filter(|id| id.starts_with('e')).collect();
    assert_eq!(kept.len() - ended.len(), running.len());
    assert_eq!(ended.len(), 2 * SHARDS, "every shard is full");
    for shard in &executions.shards {
        let shard = lock(shard);
        let key_of = |i: &u64| run("a", &format!("e{i:03}"), "t").key.clone();
        let of_shard: Vec<u64> = (0..500).filter(|i| shard_index(&key_of(i)) == index_of(&shard)).collect();
        let kept: Vec<u64> = of_shard.iter().copied().filter(|i| shard.get(&key_of(i)).is_some()).collect();
        assert_eq!(kept, of_shard[of_shard.len() - 2..], "the newest stay");
    }
    assert_eq!(executions.bytes.load(Ordering::Relaxed), 2 * SHARDS);
}

#[test]
fn bytes_are_bounded_over_all_shards() {
    let executions = SyncExecutions::bounded(Bounds { per_shard: 1_000, bytes: 100 });
    for i in 0..500 {
        end(&executions, &format!("e{i:03}"), i, 10);
        assert!(executions.bytes.load(Ordering::Relaxed) <= 100);
        assert!(ids(&executions, "a", &all()).contains(&format!("e{i:03}")), "the newest stays");
    }
    assert_eq!(ids(&executions, "a", &all()).len(), 10);
    end(&executions, "huge", 999, 101);
    assert!(ids(&executions, "a", &all()).is_empty(), "an execution larger than the bound is not stored");
    assert_eq!(executions.bytes.load(Ordering::Relaxed), 0);
    end(&executions, "next", 1_000, 10);
    assert_eq!(ids(&executions, "a", &all()), ["next"]);
}

#[test]
fn the_default_bounds_are_10_000_executions_and_64_mib() {
    let executions = SyncExecutions::default();
    assert_eq!((executions.bounds.per_shard * SHARDS, executions.bounds.bytes), (10_000, 64 << 20));
}

#[test]
fn an_id_is_claimed_once_until_it_is_released() {
    let executions = small();
    let (first, second) = (run("a", "x", "t"), run("a", "x", "t"));
    assert!(matches!(executions.claim(&first), IdClaim::Claimed));
    assert!(matches!(executions.claim(&second), IdClaim::Taken(taken) if Arc::ptr_eq(&taken, &first)));
    assert!(executions.reserve_for_submission(&first.key.tenant, &first.key.id).is_none());
    assert!(matches!(executions.claim(&run("b", "x", "t")), IdClaim::Claimed), "each tenant has its own ids");
    executions.release(&first);
    assert!(matches!(executions.claim(&second), IdClaim::Claimed));
}

#[test]
fn a_synchronous_call_cannot_claim_an_id_while_it_is_submitted() {
    let executions = small();
    let call = run("a", "x", "t");
    let one = executions.reserve_for_submission(&call.key.tenant, &call.key.id).unwrap();
    let two = executions.reserve_for_submission(&call.key.tenant, &call.key.id).unwrap();
    drop(one);
    assert!(matches!(executions.claim(&call), IdClaim::Submitting));
    assert!(executions.get(&call.key.tenant, &call.key.id).is_none());
    drop(two);
    assert!(matches!(executions.claim(&call), IdClaim::Claimed));
}

#[test]
fn listings_have_the_executions_of_one_tenant_in_order_and_filtered() {
    let executions = SyncExecutions::default();
    for id in ["c", "a", "d", "b"] {
        end(&executions, id, 1, 1);
    }
    begin(&executions, "a", "e", "u");
    executions.insert(run("a", "f", "t"));
    begin(&executions, "b", "g", "t");
    assert_eq!(
        ids(&executions, "a", &all()),
        ["a", "b", "c", "d", "e"],
        "f is not admitted, g is of another tenant"
    );
    assert_eq!(ids(&executions, "a", &ListQuery { limit: 2, ..all() }), ["a", "b"]);
    assert_eq!(ids(&executions, "a", &ListQuery { limit: 0, ..all() }), Vec::<String>::new());
    let after = ExecutionId::parse("b").ok();
    assert_eq!(ids(&executions, "a", &ListQuery { start_after: after, limit: 2, ..all() }), ["c", "d"]);
    assert_eq!(ids(&executions, "a", &ListQuery { state: Some(State::Running), ..all() }), ["e"]);
    let of_task = ListQuery { task_id: TaskId::parse("u").ok(), ..all() };
    assert_eq!(ids(&executions, "a", &of_task), ["e"]);
}

#[test]
fn ended_executions_are_removed_by_task_and_by_age() {
    let executions = SyncExecutions::default();
    let other = begin(&executions, "a", "d", "u");
    other.end(Outcome::failed(Failure::new(FailureCode::TrapOther, "")), at(5));
    executions.add_ended(&other, at(5), 7);
    for (id, when) in [("a", 10), ("b", 20), ("c", 30)] {
        end(&executions, id, when, 7);
    }
    begin(&executions, "a", "e", "t");
    executions.expire(at(20));
    assert_eq!(ids(&executions, "a", &all()), ["b", "c", "e"]);
    let task = TaskId::parse("t").unwrap();
    assert_eq!(executions.remove_ended(&TenantId::parse("b").unwrap(), &task), 0);
    assert_eq!(executions.remove_ended(&TenantId::parse("a").unwrap(), &task), 2);
    assert_eq!(ids(&executions, "a", &all()), ["e"]);
    assert_eq!(executions.bytes.load(Ordering::Relaxed), 0);
    executions.expire(at(1_000));
    assert_eq!(ids(&executions, "a", &all()), ["e"], "a running execution does not expire");
}
