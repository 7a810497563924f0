//! The ledger by itself: what it keeps, and for how long.

use super::*;
use crate::Mode;
use crate::core::failed;
use pilum_types::{Failure, FailureCode, FunctionName, Outcome, Output, State, Usage};
use std::time::{Duration, UNIX_EPOCH};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn run(tenant: &str, id: &str, task: &str) -> Arc<SyncRun> {
    let key = Key::new(TenantId::parse(tenant).unwrap(), ExecutionId::parse(id).unwrap());
    let function = FunctionName::parse("f").unwrap();
    Arc::new(SyncRun::new(key, TaskId::parse(task).unwrap(), function, Mode::Sync, None))
}

/// Puts in an execution that runs.
fn begin(ledger: &Ledger, tenant: &str, id: &str, task: &str) -> Arc<SyncRun> {
    let run = run(tenant, id, task);
    run.admit(at(0));
    ledger.insert(Arc::clone(&run));
    run
}

/// Puts in an execution that has ended with so many bytes.
fn end(ledger: &Ledger, id: &str, when: u64, bytes: usize) {
    let run = begin(ledger, "a", id, "t");
    run.end(done(), at(when));
    ledger.ended(&run, at(when), bytes);
}

fn done() -> Outcome {
    Outcome { result: Ok(Output::Raw(Vec::new())), usage: Usage::default(), log: Vec::new(), instance: None }
}

fn place_of(shard: &Shard) -> usize {
    place(&shard.ended.back().expect("it is full").run.key)
}

fn ids(ledger: &Ledger, tenant: &str, query: &ListQuery) -> Vec<String> {
    let executions = ledger.list(&TenantId::parse(tenant).unwrap(), query);
    executions.iter().map(|execution| execution.id.as_str().to_owned()).collect()
}

fn all() -> ListQuery {
    ListQuery { limit: usize::MAX, ..ListQuery::default() }
}

/// Small enough that every shard holds one of some 100 ids.
fn small() -> Ledger {
    Ledger::bounded(Bounds { per_shard: 2, bytes: 1_000_000 })
}

#[test]
fn what_ended_first_goes_first_and_what_runs_stays() {
    let ledger = small();
    let running: Vec<_> = (0..100).map(|i| begin(&ledger, "a", &format!("r{i:03}"), "t")).collect();
    for i in 0..500 {
        end(&ledger, &format!("e{i:03}"), i, 1);
    }
    let kept = ids(&ledger, "a", &all());
    let ended: Vec<_> = kept.iter().filter(|id| id.starts_with('e')).collect();
    assert_eq!(kept.len() - ended.len(), running.len());
    assert_eq!(ended.len(), 2 * SHARDS, "every shard is full");
    for shard in &ledger.shards {
        let shard = lock(shard);
        let in_order = |i: &u64| run("a", &format!("e{i:03}"), "t").key.clone();
        let here: Vec<u64> = (0..500).filter(|i| place(&in_order(i)) == place_of(&shard)).collect();
        let kept: Vec<u64> = here.iter().copied().filter(|i| shard.get(&in_order(i)).is_some()).collect();
        assert_eq!(kept, here[here.len() - 2..], "the newest are kept");
    }
    assert_eq!(ledger.bytes.load(Ordering::Relaxed), 2 * SHARDS);
}

#[test]
fn bytes_are_bounded_over_all_shards() {
    let ledger = Ledger::bounded(Bounds { per_shard: 1_000, bytes: 100 });
    for i in 0..500 {
        end(&ledger, &format!("e{i:03}"), i, 10);
        assert!(ledger.bytes.load(Ordering::Relaxed) <= 100);
        assert!(ids(&ledger, "a", &all()).contains(&format!("e{i:03}")), "the newest is kept");
    }
    assert_eq!(ids(&ledger, "a", &all()).len(), 10);
    end(&ledger, "huge", 999, 101);
    assert!(ids(&ledger, "a", &all()).is_empty(), "one beyond the bound is not kept at all");
    assert_eq!(ledger.bytes.load(Ordering::Relaxed), 0);
    end(&ledger, "next", 1_000, 10);
    assert_eq!(ids(&ledger, "a", &all()), ["next"]);
}

#[test]
fn the_bounds_in_force_are_those_that_are_documented() {
    let ledger = Ledger::default();
    assert_eq!((ledger.bounds.per_shard * SHARDS, ledger.bounds.bytes), (10_000, 64 << 20));
}

#[test]
fn an_id_is_claimed_once_until_it_is_released() {
    let ledger = small();
    let (first, second) = (run("a", "x", "t"), run("a", "x", "t"));
    assert!(matches!(ledger.claim(&first), IdClaim::Claimed));
    assert!(matches!(ledger.claim(&second), IdClaim::Taken(taken) if Arc::ptr_eq(&taken, &first)));
    assert!(ledger.accepting(&first.key.tenant, &first.key.id).is_none());
    assert!(matches!(ledger.claim(&run("b", "x", "t")), IdClaim::Claimed), "ids are the tenant's own");
    ledger.release(&first);
    assert!(matches!(ledger.claim(&second), IdClaim::Claimed));
}

#[test]
fn an_id_that_is_being_accepted_is_no_synchronous_calls() {
    let ledger = small();
    let call = run("a", "x", "t");
    let one = ledger.accepting(&call.key.tenant, &call.key.id).unwrap();
    let two = ledger.accepting(&call.key.tenant, &call.key.id).unwrap();
    drop(one);
    assert!(matches!(ledger.claim(&call), IdClaim::Accepting));
    assert!(ledger.get(&call.key.tenant, &call.key.id).is_none());
    drop(two);
    assert!(matches!(ledger.claim(&call), IdClaim::Claimed));
}

#[test]
fn listings_are_the_tenants_own_in_order_and_filtered() {
    let ledger = Ledger::default();
    for id in ["c", "a", "d", "b"] {
        end(&ledger, id, 1, 1);
    }
    begin(&ledger, "a", "e", "u");
    ledger.insert(run("a", "f", "t"));
    begin(&ledger, "b", "g", "t");
    assert_eq!(ids(&ledger, "a", &all()), ["a", "b", "c", "d", "e"], "f is not admitted, g is another's");
    assert_eq!(ids(&ledger, "a", &ListQuery { limit: 2, ..all() }), ["a", "b"]);
    assert_eq!(ids(&ledger, "a", &ListQuery { limit: 0, ..all() }), Vec::<String>::new());
    let after = ExecutionId::parse("b").ok();
    assert_eq!(ids(&ledger, "a", &ListQuery { start_after: after, limit: 2, ..all() }), ["c", "d"]);
    assert_eq!(ids(&ledger, "a", &ListQuery { state: Some(State::Running), ..all() }), ["e"]);
    let of_task = ListQuery { task_id: TaskId::parse("u").ok(), ..all() };
    assert_eq!(ids(&ledger, "a", &of_task), ["e"]);
}

#[test]
fn what_ended_is_forgotten_by_task_and_by_age() {
    let ledger = Ledger::default();
    let other = begin(&ledger, "a", "d", "u");
    other.end(failed(Failure::new(FailureCode::TrapOther, "")), at(5));
    ledger.ended(&other, at(5), 7);
    for (id, when) in [("a", 10), ("b", 20), ("c", 30)] {
        end(&ledger, id, when, 7);
    }
    begin(&ledger, "a", "e", "t");
    ledger.expire(at(20));
    assert_eq!(ids(&ledger, "a", &all()), ["b", "c", "e"]);
    let task = TaskId::parse("t").unwrap();
    assert_eq!(ledger.forget_task(&TenantId::parse("b").unwrap(), &task), 0);
    assert_eq!(ledger.forget_task(&TenantId::parse("a").unwrap(), &task), 2);
    assert_eq!(ids(&ledger, "a", &all()), ["e"]);
    assert_eq!(ledger.bytes.load(Ordering::Relaxed), 0);
    ledger.expire(at(1_000));
    assert_eq!(ids(&ledger, "a", &all()), ["e"], "what runs does not expire");
}
