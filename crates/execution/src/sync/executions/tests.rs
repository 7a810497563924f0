//! What the synchronous executions keep, and for how long.

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

/// Puts in an execution that runs.
fn begin(executions: &SyncExecutions, tenant: &str, id: &str, task: &str) -> Arc<SyncExecution> {
    let run = run(tenant, id, task);
    run.admit(at(0));
    executions.insert(Arc::clone(&run));
    run
}

/// Puts in an execution that has ended with so many bytes.
fn end(executions: &SyncExecutions, id: &str, when: u64, bytes: usize) {
    let run = begin(executions, "a", id, "t");
    run.end(done(), at(when));
    executions.ended(&run, at(when), bytes);
}

fn done() -> Outcome {
    Outcome { result: Ok(Output::Raw(Vec::new())), usage: Usage::default(), log: Vec::new(), instance: None }
}

fn index_of(shard: &Shard) -> usize {
    shard_index(&shard.ended.back().expect("it is full").execution.key)
}

fn ids(executions: &SyncExecutions, tenant: &str, query: &ListQuery) -> Vec<String> {
    let executions = executions.list(&TenantId::parse(tenant).unwrap(), query);
    executions.iter().map(|execution| execution.id.as_str().to_owned()).collect()
}

fn all() -> ListQuery {
    ListQuery { limit: usize::MAX, ..ListQuery::default() }
}

/// Small enough that every shard holds one of some 100 ids.
fn small() -> SyncExecutions {
    SyncExecutions::bounded(Bounds { per_shard: 2, bytes: 1_000_000 })
}

#[test]
fn what_ended_first_goes_first_and_what_runs_stays() {
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
        let in_order = |i: &u64| run("a", &format!("e{i:03}"), "t").key.clone();
        let here: Vec<u64> = (0..500).filter(|i| shard_index(&in_order(i)) == index_of(&shard)).collect();
        let kept: Vec<u64> = here.iter().copied().filter(|i| shard.get(&in_order(i)).is_some()).collect();
        assert_eq!(kept, here[here.len() - 2..], "the newest are kept");
    }
    assert_eq!(executions.bytes.load(Ordering::Relaxed), 2 * SHARDS);
}

#[test]
fn bytes_are_bounded_over_all_shards() {
    let executions = SyncExecutions::bounded(Bounds { per_shard: 1_000, bytes: 100 });
    for i in 0..500 {
        end(&executions, &format!("e{i:03}"), i, 10);
        assert!(executions.bytes.load(Ordering::Relaxed) <= 100);
        assert!(ids(&executions, "a", &all()).contains(&format!("e{i:03}")), "the newest is kept");
    }
    assert_eq!(ids(&executions, "a", &all()).len(), 10);
    end(&executions, "huge", 999, 101);
    assert!(ids(&executions, "a", &all()).is_empty(), "one beyond the bound is not kept at all");
    assert_eq!(executions.bytes.load(Ordering::Relaxed), 0);
    end(&executions, "next", 1_000, 10);
    assert_eq!(ids(&executions, "a", &all()), ["next"]);
}

#[test]
fn the_bounds_in_force_are_those_that_are_documented() {
    let executions = SyncExecutions::default();
    assert_eq!((executions.bounds.per_shard * SHARDS, executions.bounds.bytes), (10_000, 64 << 20));
}

#[test]
fn an_id_is_claimed_once_until_it_is_released() {
    let executions = small();
    let (first, second) = (run("a", "x", "t"), run("a", "x", "t"));
    assert!(matches!(executions.claim(&first), IdClaim::Claimed));
    assert!(matches!(executions.claim(&second), IdClaim::Taken(taken) if Arc::ptr_eq(&taken, &first)));
    assert!(executions.submitting(&first.key.tenant, &first.key.id).is_none());
    assert!(matches!(executions.claim(&run("b", "x", "t")), IdClaim::Claimed), "ids are the tenant's own");
    executions.release(&first);
    assert!(matches!(executions.claim(&second), IdClaim::Claimed));
}

#[test]
fn an_id_that_is_being_accepted_is_no_synchronous_calls() {
    let executions = small();
    let call = run("a", "x", "t");
    let one = executions.submitting(&call.key.tenant, &call.key.id).unwrap();
    let two = executions.submitting(&call.key.tenant, &call.key.id).unwrap();
    drop(one);
    assert!(matches!(executions.claim(&call), IdClaim::Submitting));
    assert!(executions.get(&call.key.tenant, &call.key.id).is_none());
    drop(two);
    assert!(matches!(executions.claim(&call), IdClaim::Claimed));
}

#[test]
fn listings_are_the_tenants_own_in_order_and_filtered() {
    let executions = SyncExecutions::default();
    for id in ["c", "a", "d", "b"] {
        end(&executions, id, 1, 1);
    }
    begin(&executions, "a", "e", "u");
    executions.insert(run("a", "f", "t"));
    begin(&executions, "b", "g", "t");
    assert_eq!(ids(&executions, "a", &all()), ["a", "b", "c", "d", "e"], "f is not admitted, g is another's");
    assert_eq!(ids(&executions, "a", &ListQuery { limit: 2, ..all() }), ["a", "b"]);
    assert_eq!(ids(&executions, "a", &ListQuery { limit: 0, ..all() }), Vec::<String>::new());
    let after = ExecutionId::parse("b").ok();
    assert_eq!(ids(&executions, "a", &ListQuery { start_after: after, limit: 2, ..all() }), ["c", "d"]);
    assert_eq!(ids(&executions, "a", &ListQuery { state: Some(State::Running), ..all() }), ["e"]);
    let of_task = ListQuery { task_id: TaskId::parse("u").ok(), ..all() };
    assert_eq!(ids(&executions, "a", &of_task), ["e"]);
}

#[test]
fn what_ended_is_forgotten_by_task_and_by_age() {
    let executions = SyncExecutions::default();
    let other = begin(&executions, "a", "d", "u");
    other.end(Outcome::failed(Failure::new(FailureCode::TrapOther, "")), at(5));
    executions.ended(&other, at(5), 7);
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
    assert_eq!(ids(&executions, "a", &all()), ["e"], "what runs does not expire");
}
