//! The memory store passes the conformance suite and stays within its own bounds.

use super::table::ENDED_MAX_BYTES;
use super::*;
use crate::conformance::model;
use pilum_types::{Output, Usage};
use proptest::prelude::*;

crate::conformance!(Box::new(MemoryStore::new()));

#[tokio::test]
async fn the_oldest_ended_executions_are_evicted_at_the_bound_in_bytes() {
    let store = MemoryStore::new();
    let result_bytes = ENDED_MAX_BYTES / 4;
    for i in 0..6 {
        let (now, admission) = (model::at(i), Admission { max_pending: 10, ..Admission::default() });
        store.submit(model::submission(&format!("e{i}")), admission, now).await.unwrap();
        let lease = store.claim(now, model::LEASE, 1).await.unwrap().leases.pop().unwrap();
        // The zeros are never touched, so the system does not really allocate this memory.
        let result = Ok(Output::Raw(vec![0; result_bytes]));
        let outcome = Outcome { result, usage: Usage::default(), log: Vec::new(), instance: None };
        store.finish(&lease.fence, Arc::new(outcome), now).await.unwrap();
    }
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let kept = store.list(&TenantId::default(), &query).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|listed| listed.id.as_str()).collect();
    assert_eq!(kept, ["e3", "e4", "e5"]);
    assert!(lock(&store.inner).table.ended_bytes <= ENDED_MAX_BYTES);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn executions_change_state_only_as_allowed(ops in model::ops()) {
        model::check(&MemoryStore::new(), &ops);
    }
}
