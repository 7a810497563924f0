//! The memory store keeps every store's promises, and bounds of its own.

use super::*;
use crate::store::conformance::conformance;
use pilum_types::{FunctionName, Output, Receipt, State};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

conformance!(MemoryStore::new());

const LEASE: Duration = Duration::from_secs(30);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn submission(id: &str) -> Submission {
    Submission {
        id: ExecutionId::parse(id).unwrap(),
        tenant: TenantId::default(),
        task_id: TaskId::parse("t").unwrap(),
        function: FunctionName::parse("f").unwrap(),
        parameters: Vec::new(),
        environment: [].into(),
        timeout: LEASE,
        max_retries: 1,
        force_new_instance: false,
    }
}

fn outcome(result: Result<Output, Failure>) -> Outcome {
    Outcome { result, receipt: Receipt::default(), log: Vec::new(), instance: None }
}

#[tokio::test]
async fn ended_executions_are_bounded_in_bytes_the_oldest_go_first() {
    let store = MemoryStore::new();
    let piece = ENDED_MAX_BYTES / 4;
    for i in 0..6 {
        store.accept(submission(&format!("e{i}")), 10, at(i)).await.unwrap();
        let Claim::Leased(lease) = store.claim(at(i), LEASE).await.unwrap() else { panic!("no work") };
        // Reserved and never touched, so that the test needs no such memory.
        let result = Ok(Output::Raw(vec![0; piece]));
        store.finish(&lease.fence, outcome(result), at(i)).await.unwrap();
    }
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let inner = lock(&store.inner);
    let kept: Vec<_> = inner.ended.values().map(|(_, id)| id.as_str().to_owned()).collect();
    assert_eq!(kept, ["e3", "e4", "e5"]);
    assert!(inner.ended_bytes <= ENDED_MAX_BYTES);
    assert_eq!(inner.tenants.values().map(|t| t.list(&query).len()).sum::<usize>(), 3);
}

/// What is done to the store, to one of a few executions each.
#[derive(Debug, Clone)]
enum Op {
    Accept(u8),
    Claim,
    Finish(u8, bool),
    Retry(u8),
    Cancel(u8),
    Pass(u8),
    Expire,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (0..4_u8).prop_map(Op::Accept),
        Just(Op::Claim),
        (0..4_u8, any::<bool>()).prop_map(|(id, fine)| Op::Finish(id, fine)),
        (0..4_u8).prop_map(Op::Retry),
        (0..4_u8).prop_map(Op::Cancel),
        (1..40_u8).prop_map(Op::Pass),
        Just(Op::Expire),
    ];
    proptest::collection::vec(op, 1..80)
}

/// Checks that each execution moved only as [`State::after`] lets it.
fn check_moves(before: &BTreeMap<String, State>, after: &BTreeMap<String, State>) {
    let steps = |from: State| Event::ALL.into_iter().filter_map(move |event| from.after(event).ok());
    for (id, now) in after {
        let Some(then) = before.get(id) else {
            assert_eq!(*now, State::Pending, "{id} appeared");
            continue;
        };
        // One operation may take back a lost lease and lend it again.
        let reached = then == now || steps(*then).any(|s| s == *now || steps(s).any(|s| s == *now));
        assert!(reached, "{id} went from {then} to {now}");
        assert!(!then.is_terminal() || then == now, "{id} left {then}");
    }
    for (id, then) in before {
        assert!(after.contains_key(id) || then.is_terminal(), "{id} vanished {then}");
    }
}

async fn states(store: &MemoryStore) -> BTreeMap<String, State> {
    let query = ListQuery { limit: 100, ..ListQuery::default() };
    let all = store.list(&TenantId::default(), &query).await.unwrap();
    all.into_iter().map(|e| (e.id.as_str().to_owned(), e.state)).collect()
}

async fn apply(store: &MemoryStore, op: &Op, leases: &mut BTreeMap<u8, Vec<Lease>>, now: SystemTime) {
    let latest = |id: &u8, leases: &BTreeMap<u8, Vec<Lease>>| leases.get(id).and_then(|l| l.last().cloned());
    match op {
        Op::Accept(id) => drop(store.accept(submission(&id.to_string()), 3, now).await.unwrap()),
        Op::Claim => {
            if let Claim::Leased(lease) = store.claim(now, LEASE).await.unwrap() {
                let held = leases.entry(lease.fence.id.as_str().parse().unwrap()).or_default();
                assert!(held.last().is_none_or(|old| old.fence.token < lease.fence.token));
                held.push(*lease);
            }
        }
        Op::Finish(id, fine) => {
            let failure = Failure::new(FailureCode::TrapOther, "");
            let result = if *fine { Ok(Output::Raw(Vec::new())) } else { Err(failure) };
            for stale in leases.get(id).into_iter().flatten().rev().skip(1) {
                let refused = store.finish(&stale.fence, outcome(result.clone()), now).await;
                assert!(matches!(refused, Err(StoreError::Stale(_))));
            }
            if let Some(lease) = latest(id, leases) {
                let _ = store.finish(&lease.fence, outcome(result), now).await;
            }
        }
        Op::Retry(id) => {
            if let Some(lease) = latest(id, leases) {
                let failure = Failure::new(FailureCode::GuestError, "");
                let _ = store.retry_later(&lease.fence, failure, now, now + LEASE / 2).await;
            }
        }
        Op::Cancel(id) => {
            let id = ExecutionId::parse(&id.to_string()).unwrap();
            store.cancel(&TenantId::default(), &id, "", now).await.unwrap();
        }
        Op::Pass(_) => {}
        Op::Expire => drop(store.expire(now, 2).await.unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order: executions move as they may, nothing
    /// that was accepted is lost before its end, and the orders fit the records.
    #[test]
    fn executions_move_only_as_they_may(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let (mut now, mut leases) = (at(1_000), BTreeMap::new());
            let mut before = states(&store).await;
            for op in &ops {
                if let Op::Pass(seconds) = op {
                    now += Duration::from_secs(u64::from(*seconds));
                }
                apply(&store, op, &mut leases, now).await;
                let after = states(&store).await;
                check_moves(&before, &after);
                let depth = store.depth().await.unwrap();
                let count = |state| after.values().filter(|s| **s == state).count();
                assert_eq!((depth.pending, depth.running), (count(State::Pending), count(State::Running)));
                let inner = lock(&store.inner);
                assert_eq!(inner.ended.len(), after.len() - depth.pending - depth.running);
                before = after;
            }
        });
    }
}
