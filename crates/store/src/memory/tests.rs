//! The memory store passes the conformance suite and keeps its own bounds.

use super::table::ENDED_MAX_BYTES;
use super::*;
use crate::conformance::model;
use pilum_types::{Output, Usage};
use proptest::prelude::*;

crate::conformance!(Box::new(MemoryStore::new()));

#[tokio::test]
async fn ended_executions_are_bounded_in_bytes_the_oldest_go_first() {
    let store = MemoryStore::new();
    let result_bytes = ENDED_MAX_BYTES / 4;
    for i in 0..6 {
        let (now, admission) = (model::at(i), Admission { max_pending: 10, ..Admission::default() });
        store.submit(model::submission(&format!("e{i}")), admission, now).await.unwrap();
        let lease = store.claim(now, model::LEASE, 1).await.unwrap().leases.pop().unwrap();
        // The memory is reserved and never touched, so the test does not really need it.
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
    fn executions_move_only_as_they_may(ops in model::ops()) {
        model::check(&MemoryStore::new(), &ops);
    }
}
