//! Checks a store under generated sequences of operations.

use crate::logic::CLIENT_SUPPLIED_ID_RETENTION;
use crate::{Admission, Expiry, Lease, ListQuery, Schedule, Store, StoreError, Submission};
use pilum_types::{
    Event, ExecutionId, Failure, FailureCode, FunctionName, Outcome, Output, State, TaskId, TenantId, Usage,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const LEASE: Duration = Duration::from_secs(30);

pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub fn submission(id: &str) -> Submission {
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

/// One operation on the store, on one of a few executions.
#[derive(Debug, Clone)]
pub enum Op {
    Submit(u8),
    Claim,
    Finish(u8, bool),
    Retry(u8),
    Cancel(u8),
    PassTime(u8),
    Expire,
}

pub fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (0..4_u8).prop_map(Op::Submit),
        Just(Op::Claim),
        (0..4_u8, any::<bool>()).prop_map(|(id, succeeds)| Op::Finish(id, succeeds)),
        (0..4_u8).prop_map(Op::Retry),
        (0..4_u8).prop_map(Op::Cancel),
        (1..40_u8).prop_map(Op::PassTime),
        Just(Op::Expire),
    ];
    proptest::collection::vec(op, 1..80)
}

/// Checks that each execution changed its state only as [`State::after`] allows.
fn check_transitions(before: &BTreeMap<String, State>, after: &BTreeMap<String, State>) {
    let steps = |from: State| Event::ALL.into_iter().filter_map(move |event| from.after(event).ok());
    for (id, now) in after {
        let Some(then) = before.get(id) else {
            assert_eq!(*now, State::Pending, "{id} is new");
            continue;
        };
        // One operation may take back a lost lease and lease the execution again.
        let reached = then == now || steps(*then).any(|s| s == *now || steps(s).any(|s| s == *now));
        assert!(reached, "{id} went from {then} to {now}");
        assert!(!then.is_terminal() || then == now, "{id} left {then}");
    }
    for (id, then) in before {
        assert!(after.contains_key(id) || then.is_terminal(), "{id} is missing; it was {then}");
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
        Op::Submit(id) => {
            let admission = Admission { max_pending: 3, client_supplied_id: true, ..Admission::default() };
            drop(store.submit(submission(&id.to_string()), admission, now).await.unwrap());
        }
        Op::Claim => {
            for lease in store.claim(now, LEASE, 1).await.unwrap().leases {
                let held = leases.entry(lease.fence.id.as_str().parse().unwrap()).or_default();
                // An expired id may belong to a new execution by now.
                let order = |lease: &Lease| (lease.fence.number, lease.fence.token);
                assert!(held.last().is_none_or(|old| order(old) < order(&lease)));
                held.push(lease);
            }
        }
        Op::Finish(id, succeeds) => {
            let failure = Failure::new(FailureCode::TrapOther, "");
            let result = if *succeeds { Ok(Output::Raw(Vec::new())) } else { Err(failure) };
            for stale in leases.get(id).into_iter().flatten().rev().skip(1) {
                let refused = store.finish(&stale.fence, outcome(result.clone()), now).await;
                assert!(matches!(refused, Err(StoreError::LeaseLost(_))));
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
            store.cancel_pending(&TenantId::default(), &id, "", now).await.unwrap();
        }
        Op::PassTime(_) => {}
        Op::Expire => {
            let expiry = Expiry { ended_before: now, dead_letters_before: now };
            store.expire(expiry, now + 2 * CLIENT_SUPPLIED_ID_RETENTION, 2).await.unwrap();
        }
    }
}

/// Checks after each operation that executions changed state only as [`State::after`] allows,
/// that no accepted execution was lost before its end, and that the stats match the listing.
pub fn check(store: &impl Store, ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut now, mut leases) = (at(1_000_000), BTreeMap::new());
        let mut before = states(store).await;
        for op in ops {
            if let Op::PassTime(seconds) = op {
                now += Duration::from_secs(u64::from(*seconds));
            }
            apply(store, op, &mut leases, now).await;
            let after = states(store).await;
            check_transitions(&before, &after);
            let stats = store.stats().await.unwrap();
            let count = |state| after.values().filter(|s| **s == state).count();
            assert_eq!((stats.pending, stats.running), (count(State::Pending), count(State::Running)));
            before = after;
        }
    });
}
