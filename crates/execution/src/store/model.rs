//! What may happen to executions, in generated orders, whatever keeps them.

use super::record::ID_KEPT;
use super::{Admission, Expiry, Lease, ListQuery, Store, StoreError};
use crate::{Schedule, Submission};
use pilum_types::{
    Event, ExecutionId, Failure, FailureCode, FunctionName, Outcome, Output, State, TaskId, TenantId, Usage,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn submission(id: &str) -> Submission {
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
        schedule: Schedule::default(),
        callback: None,
    }
}

fn outcome(result: Result<Output, Failure>) -> Arc<Outcome> {
    Arc::new(Outcome { result, usage: Usage::default(), log: Vec::new(), instance: None })
}

/// What is done to the store, to one of a few executions each.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Accept(u8),
    Claim,
    Finish(u8, bool),
    Retry(u8),
    Cancel(u8),
    Pass(u8),
    Expire,
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
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

async fn states(store: &impl Store) -> BTreeMap<String, State> {
    let query = ListQuery { limit: 100, ..ListQuery::default() };
    let all = store.list(&TenantId::default(), &query).await.unwrap();
    all.into_iter().map(|e| (e.id.as_str().to_owned(), e.state)).collect()
}

async fn apply(store: &impl Store, op: &Op, leases: &mut BTreeMap<u8, Vec<Lease>>, now: SystemTime) {
    let latest = |id: &u8, leases: &BTreeMap<u8, Vec<Lease>>| leases.get(id).and_then(|l| l.last().cloned());
    match op {
        Op::Accept(id) => {
            let admission = Admission { max_pending: 3, brought: true, ..Admission::default() };
            drop(store.accept(submission(&id.to_string()), admission, now).await.unwrap());
        }
        Op::Claim => {
            for lease in store.claim(now, LEASE, 1).await.unwrap().leases {
                let held = leases.entry(lease.fence.id.as_str().parse().unwrap()).or_default();
                // An id that has expired may be another execution's.
                let order = |lease: &Lease| (lease.fence.number, lease.fence.token);
                assert!(held.last().is_none_or(|old| order(old) < order(&lease)));
                held.push(lease);
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
                let _ = store.retry_later(&lease.fence, failure.into(), now, now + LEASE / 2).await;
            }
        }
        Op::Cancel(id) => {
            let id = ExecutionId::parse(&id.to_string()).unwrap();
            store.cancel(&TenantId::default(), &id, "", now).await.unwrap();
        }
        Op::Pass(_) => {}
        Op::Expire => {
            let expiry = Expiry { ended_before: now, dead_before: now };
            store.expire(expiry, now + 2 * ID_KEPT, 2).await.unwrap();
        }
    }
}

/// Whatever is done in whatever order: executions move as they may, nothing that
/// was accepted is lost before its end, and the depth fits the listing.
pub(crate) fn check(store: &impl Store, ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut now, mut leases) = (at(1_000_000), BTreeMap::new());
        let mut before = states(store).await;
        for op in ops {
            if let Op::Pass(seconds) = op {
                now += Duration::from_secs(u64::from(*seconds));
            }
            apply(store, op, &mut leases, now).await;
            let after = states(store).await;
            check_moves(&before, &after);
            let depth = store.depth().await.unwrap();
            let count = |state| after.values().filter(|s| **s == state).count();
            assert_eq!((depth.pending, depth.running), (count(State::Pending), count(State::Running)));
            before = after;
        }
    });
}
