//! Tests of the promises that every store makes. The macro
//! [`conformance!`](crate::conformance!) makes one test of each promise, so a store of
//! another crate runs the same suite. `model` checks a store under generated operations.

#![expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: a broken promise panics, and the name of each function is its promise"
)]

mod later;
pub mod model;

pub use later::{
    gives_priorities_their_shares, hands_back_attempts_that_have_not_begun,
    keeps_client_supplied_ids_for_24_hours, keeps_dead_letters, leases_one_poison_execution_at_a_time,
    makes_callbacks_due, redrives_a_dead_letter_under_one_id,
    times_out_executions_that_cannot_meet_their_deadline,
};

use crate::{
    Admission, AttemptEnd, CancelPendingResult, Execution, Expiry, Fence, LOST_WORKERS_MAX, Lease, ListQuery,
    Schedule, Store, StoreError, Submission, SubmitResult,
};
use pilum_types::{
    ExecutionId, Failure, FailureCode, FunctionName, LogLine, LogStream, Outcome, Output, Parameter,
    Priority, State, TaskId, TenantId, Usage, Value,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes one test of each promise for a store. `$make` returns a pointer to an empty store.
/// The calling crate needs tokio with its macros.
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance!(@each $make;
            accepts_a_submission_once, refuses_submissions_when_the_queue_is_full,
            claims_in_order_of_submission, delays_retries_until_due, takes_back_lost_leases,
            fails_executions_that_lose_too_many_workers, renews_leases, rejects_fences_of_lost_leases,
            records_a_final_end, records_every_attempt, cancels_only_pending_executions, lists_in_pages,
            expires_ended_executions, removes_ended_executions_of_a_task, keeps_tenants_apart,
            counts_executions_by_state, hands_back_attempts_that_have_not_begun, gives_priorities_their_shares,
            times_out_executions_that_cannot_meet_their_deadline, leases_one_poison_execution_at_a_time,
            keeps_dead_letters, redrives_a_dead_letter_under_one_id, keeps_client_supplied_ids_for_24_hours,
            makes_callbacks_due,
        );
    };
    (@each $make:expr; $($promise:ident,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            let store = $make;
            $crate::conformance::$promise(&*store).await;
        })*
    };
}

const LEASE: Duration = Duration::from_secs(30);
const MANY: usize = 1_000;

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(ms)
}

fn tenant() -> TenantId {
    TenantId::default()
}

fn execution_id(id: &str) -> ExecutionId {
    ExecutionId::parse(id).unwrap()
}

fn submission(id: &str) -> Submission {
    Submission {
        id: execution_id(id),
        tenant: tenant(),
        task_id: TaskId::parse("t").unwrap(),
        function: FunctionName::parse("f").unwrap(),
        parameters: vec![Parameter {
            name: "n".into(),
            type_name: "u64".into(),
            value: Value::Object(vec![(
                "x".into(),
                Value::List(vec![Value::Unsigned(u64::MAX), Value::Null]),
            )]),
        }],
        environment: [("KEY".to_owned(), "value".to_owned())].into(),
        timeout: Duration::from_secs(60),
        max_retries: 1,
        force_new_instance: false,
        schedule: Schedule::default(),
        callback: None,
    }
}

fn outcome(result: Result<Output, Failure>) -> Arc<Outcome> {
    Arc::new(Outcome {
        result,
        usage: Usage { attempt: 1, fuel_consumed: Some(7), ..Usage::default() },
        log: vec![LogLine { stream: LogStream::Stderr, text: "said".into() }],
        instance: Some(pilum_types::InstanceId::from_parts(1, 2)),
    })
}

fn completed() -> Arc<Outcome> {
    outcome(Ok(Output::Typed(Value::String("done".into()))))
}

fn failure(code: FailureCode) -> Failure {
    Failure::new(code, "why")
}

/// Admits up to `max_pending` pending executions, each under an id that the client supplied.
fn admission(max_pending: usize) -> Admission {
    Admission { max_pending, expected: Duration::ZERO, client_supplied_id: true }
}

async fn submit(store: &impl Store, submission: Submission, ms: u64) -> usize {
    match store.submit(submission, admission(MANY), at(ms)).await.unwrap() {
        SubmitResult::New(execution) => execution.queue_position.unwrap(),
        other => panic!("expected a new execution, got {other:?}"),
    }
}

async fn claim(store: &impl Store, ms: u64) -> Lease {
    let mut claimed = store.claim(at(ms), LEASE, 1).await.unwrap();
    claimed.leases.pop().unwrap_or_else(|| panic!("expected work, got {claimed:?}"))
}

/// Asserts that there is nothing to claim; returns when there may be something.
async fn claim_none(store: &impl Store, ms: u64) -> Option<SystemTime> {
    let claimed = store.claim(at(ms), LEASE, MANY).await.unwrap();
    assert!(claimed.leases.is_empty(), "{claimed:?}");
    claimed.next_due
}

async fn get(store: &impl Store, id: &str) -> Execution {
    store.get(&tenant(), &execution_id(id)).await.unwrap().expect("the store has the execution")
}

async fn cancel(store: &impl Store, id: &str) -> Option<State> {
    match store.cancel_pending(&tenant(), &execution_id(id), "enough", at(900)).await.unwrap() {
        CancelPendingResult::Cancelled(execution) => {
            assert_eq!((execution.id.as_str(), execution.state), (id, State::Cancelled));
            Some(State::Pending)
        }
        CancelPendingResult::Running => Some(State::Running),
        CancelPendingResult::Ended(state) => Some(state),
        CancelPendingResult::Unknown => None,
    }
}

fn is_lease_lost<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::LeaseLost(_)))
}

pub async fn accepts_a_submission_once(store: &impl Store) {
    assert_eq!(submit(store, submission("a"), 0).await, 1);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.accepted_at), (State::Pending, at(0)));
    assert_eq!((execution.attempts.len(), execution.started_at, execution.completed_at), (0, None, None));
    assert!(execution.outcome.is_none());

    let again = store.submit(submission("a"), admission(MANY), at(5)).await.unwrap();
    assert!(
        matches!(again, SubmitResult::Existing(e) if e.accepted_at == at(0) && e.queue_position == Some(1))
    );
    let base = submission("a");
    for other in [
        Submission { task_id: TaskId::parse("u").unwrap(), ..base.clone() },
        Submission { function: FunctionName::parse("g").unwrap(), ..base.clone() },
        Submission { parameters: Vec::new(), ..base.clone() },
        Submission { environment: [].into(), ..base.clone() },
        Submission { timeout: Duration::from_secs(61), ..base.clone() },
        Submission { max_retries: 2, ..base.clone() },
        Submission { force_new_instance: true, ..base.clone() },
    ] {
        let conflict = store.submit(other.clone(), admission(MANY), at(5)).await.unwrap();
        assert!(matches!(conflict, SubmitResult::Conflict), "{other:?}");
    }
    // The id stays taken after the execution has ended.
    let lease = claim(store, 10).await;
    store.finish(&lease.fence, completed(), at(20)).await.unwrap();
    let again = store.submit(submission("a"), admission(0), at(30)).await.unwrap();
    assert!(matches!(again, SubmitResult::Existing(e) if e.state == State::Completed));
    assert_eq!(claim_none(store, 40).await, None);
}

pub async fn refuses_submissions_when_the_queue_is_full(store: &impl Store) {
    for (before, id) in ["a", "b"].into_iter().enumerate() {
        let accepted = store.submit(submission(id), admission(2), at(0)).await.unwrap();
        assert!(matches!(accepted, SubmitResult::New(e) if e.queue_position == Some(before + 1)));
    }
    assert!(matches!(
        store.submit(submission("c"), admission(2), at(0)).await.unwrap(),
        SubmitResult::QueueFull
    ));
    assert!(store.get(&tenant(), &execution_id("c")).await.unwrap().is_none());
    let known = store.submit(submission("a"), admission(2), at(0)).await.unwrap();
    assert!(matches!(known, SubmitResult::Existing(_)), "a repeated submission is not bounded");
    claim(store, 1).await;
    let accepted = store.submit(submission("c"), admission(2), at(2)).await.unwrap();
    assert!(
        matches!(accepted, SubmitResult::New(e) if e.queue_position == Some(2)),
        "a running execution is not counted as waiting"
    );
}

pub async fn claims_in_order_of_submission(store: &impl Store) {
    assert_eq!(claim_none(store, 0).await, None);
    for id in ["c", "a", "b"] {
        submit(store, submission(id), 0).await;
    }
    for id in ["c", "a", "b"] {
        let lease = claim(store, 10).await;
        assert_eq!(lease.submission, submission(id), "the first submission is claimed first, unchanged");
        assert_eq!((lease.attempt, lease.execution.accepted_at), (1, at(0)));
        let execution = get(store, id).await;
        assert_eq!((execution.state, execution.started_at), (State::Running, Some(at(10))));
        assert_eq!((execution.attempts[0].number, execution.attempts[0].took), (1, None));
    }
}

pub async fn delays_retries_until_due(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    let failed = failure(FailureCode::GuestError);
    store.retry_later(&lease.fence, failed.into(), at(100), at(500)).await.unwrap();
    assert_eq!(get(store, "a").await.state, State::Pending);
    assert_eq!(claim_none(store, 499).await, Some(at(500)));
    // The delayed retry does not hold up a later submission.
    submit(store, submission("b"), 200).await;
    assert_eq!(claim(store, 300).await.submission.id, execution_id("b"));
    let lease = claim(store, 500).await;
    assert_eq!((lease.submission.id, lease.attempt), (execution_id("a"), 2));
}

pub async fn takes_back_lost_leases(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let lost = claim(store, 0).await;
    assert_eq!(claim_none(store, 29_999).await, Some(at(30_000)));
    let next = claim(store, 30_000).await;
    assert_eq!(next.attempt, 2);
    assert!(next.fence.token > lost.fence.token, "each claim has a higher token");
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Running, 2));
    assert_eq!(execution.attempts[0].failure.as_ref().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(execution.started_at, Some(at(0)), "the start of the first attempt");
    store.finish(&next.fence, completed(), at(30_010)).await.unwrap();
}

pub async fn fails_executions_that_lose_too_many_workers(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    claim(store, 0).await;
    let lost = claim(store, 30_000).await;
    assert_eq!(claim_none(store, 60_000).await, None);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Failed, 2));
    assert_eq!(execution.failure().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(execution.completed_at, Some(at(60_000)));
    assert!(is_lease_lost(&store.finish(&lost.fence, completed(), at(60_001)).await));

    // An execution that loses its workers fails even if it has retries left.
    submit(store, Submission { max_retries: 9, ..submission("b") }, 0).await;
    let back = claim(store, 60_000).await;
    store
        .retry_later(&back.fence, failure(FailureCode::WorkerLost).into(), at(60_000), at(60_000))
        .await
        .unwrap();
    for lost in 0..u64::from(LOST_WORKERS_MAX) {
        assert_eq!(claim(store, 60_000 + 30_000 * lost).await.attempt, 2 + lost as u32);
    }
    assert_eq!(claim_none(store, 150_000).await, None);
    let execution = get(store, "b").await;
    assert_eq!(
        (execution.state, execution.attempts.len()),
        (State::Failed, 4),
        "one attempt was put back, three lost their worker"
    );
}

pub async fn renews_leases(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    store.renew(&lease.fence, at(20_000), LEASE).await.unwrap();
    assert_eq!(claim_none(store, 49_999).await, Some(at(50_000)));
    store.finish(&lease.fence, completed(), at(49_999)).await.unwrap();
    assert!(is_lease_lost(&store.renew(&lease.fence, at(50_000), LEASE).await));
}

pub async fn rejects_fences_of_lost_leases(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let lost = claim(store, 0).await;
    let unknown = Fence { id: execution_id("none"), ..lost.fence.clone() };
    let wrong_tenant = Fence { tenant: TenantId::parse("b").unwrap(), ..lost.fence.clone() };
    let forged = Fence { token: lost.fence.token + 1, ..lost.fence.clone() };
    let check = async |fence: &Fence| {
        let failed = failure(FailureCode::HostError);
        assert!(is_lease_lost(&store.renew(fence, at(1), LEASE).await), "{fence:?}");
        assert!(is_lease_lost(&store.finish(fence, completed(), at(1)).await), "{fence:?}");
        assert!(is_lease_lost(&store.retry_later(fence, failed.into(), at(1), at(1)).await), "{fence:?}");
    };
    for fence in [&unknown, &wrong_tenant, &forged] {
        check(fence).await;
    }
    let current = claim(store, 30_000).await;
    check(&lost.fence).await;
    assert_eq!(get(store, "a").await.state, State::Running);
    store
        .retry_later(&current.fence, failure(FailureCode::HostError).into(), at(31_000), at(31_000))
        .await
        .unwrap();
    check(&current.fence).await;
    assert_eq!(get(store, "a").await.state, State::Pending);
}

pub async fn records_a_final_end(store: &impl Store) {
    let ends = [
        ("a", completed()),
        ("b", outcome(Ok(Output::Raw(vec![0, 255])))),
        ("c", outcome(Err(failure(FailureCode::TrapOther)))),
        ("d", outcome(Err(failure(FailureCode::DeadlineExceeded)))),
        ("e", outcome(Err(failure(FailureCode::Cancelled)))),
    ];
    for (id, end) in ends {
        submit(store, submission(id), 0).await;
        let lease = claim(store, 10).await;
        store.finish(&lease.fence, end.clone(), at(30)).await.unwrap();
        let execution = get(store, id).await;
        let state = end.result.as_ref().err().map_or(State::Completed, |f| f.code.state());
        assert_eq!((execution.state, execution.completed_at), (state, Some(at(30))), "{id}");
        assert_eq!(format!("{:?}", execution.outcome), format!("{:?}", Some(&end)), "{id}");
        assert_eq!(execution.attempts[0].took, Some(Duration::from_millis(20)));
        assert_eq!(execution.attempts[0].failure, end.result.clone().err());
        assert_eq!(execution.attempts[0].instance, end.instance);

        assert!(is_lease_lost(&store.finish(&lease.fence, completed(), at(40)).await), "{id} has ended");
        assert_eq!(cancel(store, id).await, Some(state));
        assert_eq!(format!("{:?}", get(store, id).await), format!("{execution:?}"), "{id} is final");
    }
    assert_eq!(claim_none(store, 1_000_000).await, None);
}

pub async fn records_every_attempt(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let codes = [FailureCode::GuestError, FailureCode::HostError, FailureCode::WorkerLost];
    for (begun, code) in (0..).step_by(100).zip(codes) {
        let lease = claim(store, begun).await;
        // A worker may put an execution back any number of times: the worker decides whether
        // another attempt follows.
        store.retry_later(&lease.fence, failure(code).into(), at(begun + 7), at(begun + 100)).await.unwrap();
    }
    let instance = Some(pilum_types::InstanceId::from_parts(3, 4));
    let lease = claim(store, 300).await;
    let ended = AttemptEnd { failure: failure(FailureCode::GuestExit), instance: instance.clone() };
    store.retry_later(&lease.fence, ended, at(300), at(300)).await.unwrap();
    assert_eq!(get(store, "a").await.attempts[3].instance, instance);
    let lease = claim(store, 300).await;
    assert_eq!(lease.attempt, 5);
    store.finish(&lease.fence, completed(), at(301)).await.unwrap();
    let attempts = get(store, "a").await.attempts;
    let listed: Vec<_> = attempts.iter().map(|a| (a.number, a.failure.as_ref().map(|f| f.code))).collect();
    let [guest, host, lost] = codes;
    let exit = FailureCode::GuestExit;
    assert_eq!(listed, [(1, Some(guest)), (2, Some(host)), (3, Some(lost)), (4, Some(exit)), (5, None)]);
    assert_eq!(attempts[1].started_at, at(100));
    assert_eq!(attempts[1].took, Some(Duration::from_millis(7)));
}

pub async fn cancels_only_pending_executions(store: &impl Store) {
    assert_eq!(cancel(store, "a").await, None);
    submit(store, submission("a"), 0).await;
    assert_eq!(cancel(store, "a").await, Some(State::Pending));
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.completed_at), (State::Cancelled, Some(at(900))));
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Err(Failure::new(FailureCode::Cancelled, "enough")));
    assert!(outcome.instance.is_none() && execution.attempts.is_empty());
    assert_eq!(cancel(store, "a").await, Some(State::Cancelled));
    assert_eq!(claim_none(store, 950).await, None);

    submit(store, submission("b"), 0).await;
    let lease = claim(store, 0).await;
    assert_eq!(cancel(store, "b").await, Some(State::Running));
    assert_eq!(get(store, "b").await.state, State::Running);
    store.retry_later(&lease.fence, failure(FailureCode::HostError).into(), at(1), at(2_000)).await.unwrap();
    assert_eq!(cancel(store, "b").await, Some(State::Pending), "it is pending between two attempts");
    assert_eq!(get(store, "b").await.attempts.len(), 1);
}

pub async fn lists_in_pages(store: &impl Store) {
    let all = ListQuery { limit: MANY, ..ListQuery::default() };
    let list = async |query: ListQuery| -> String {
        let found = store.list(&tenant(), &query).await.unwrap();
        found.iter().map(|execution| execution.id.as_str()).collect()
    };
    assert_eq!(list(all.clone()).await, "");
    for id in ["d", "b", "a", "c"] {
        let task_id = TaskId::parse(if id < "c" { "t" } else { "u" }).unwrap();
        submit(store, Submission { task_id, ..submission(id) }, 0).await;
    }
    let lease = claim(store, 1).await;
    store.finish(&lease.fence, completed(), at(2)).await.unwrap();
    claim(store, 3).await;

    assert_eq!(list(all.clone()).await, "abcd", "in ascending order of id");
    assert_eq!(list(ListQuery { limit: 2, ..all.clone() }).await, "ab");
    assert_eq!(list(ListQuery { limit: 0, ..all.clone() }).await, "");
    let after = |id| ListQuery { start_after: Some(execution_id(id)), ..all.clone() };
    assert_eq!(list(after("b")).await, "cd");
    assert_eq!(list(after("bb")).await, "cd", "`start_after` need not be the id of an execution");
    assert_eq!(list(after("d")).await, "");
    assert_eq!(list(ListQuery { limit: 1, ..after("a") }).await, "b");
    for (state, ids) in
        [(State::Completed, "d"), (State::Running, "b"), (State::Pending, "ac"), (State::Failed, "")]
    {
        assert_eq!(list(ListQuery { state: Some(state), ..all.clone() }).await, ids, "{state}");
    }
    let task_id = TaskId::parse("u").ok();
    assert_eq!(list(ListQuery { task_id: task_id.clone(), ..all.clone() }).await, "cd");
    assert_eq!(list(ListQuery { task_id: task_id.clone(), ..after("c") }).await, "d");
    assert_eq!(list(ListQuery { task_id, state: Some(State::Pending), ..all.clone() }).await, "c");
    assert_eq!(list(ListQuery { task_id: TaskId::parse("v").ok(), ..all.clone() }).await, "");
}

/// Submits under a generated id.
async fn submit_with_generated_id(store: &impl Store, submission: Submission, ms: u64) {
    let generated = Admission { client_supplied_id: false, ..admission(MANY) };
    let accepted = store.submit(submission, generated, at(ms)).await.unwrap();
    assert!(matches!(accepted, SubmitResult::New(_)), "{accepted:?}");
}

async fn expire(store: &impl Store, before: u64, batch: usize) -> usize {
    let expiry = Expiry { ended_before: at(before), dead_letters_before: at(before) };
    store.expire(expiry, at(2_000_000), batch).await.unwrap()
}

pub async fn expires_ended_executions(store: &impl Store) {
    for (id, end) in [("a", 10), ("b", 20), ("c", 30)] {
        submit_with_generated_id(store, submission(id), 0).await;
        let lease = claim(store, 5).await;
        store.finish(&lease.fence, completed(), at(end)).await.unwrap();
    }
    submit(store, submission("running"), 0).await;
    claim(store, 0).await;
    submit(store, submission("waiting"), 0).await;
    assert_eq!(expire(store, 10, MANY).await, 0, "none ended before that time");
    assert_eq!(expire(store, 31, 2).await, 2, "at most one batch");
    assert!(store.get(&tenant(), &execution_id("b")).await.unwrap().is_none());
    assert!(
        store.get(&tenant(), &execution_id("c")).await.unwrap().is_some(),
        "the oldest are removed first"
    );
    assert_eq!(expire(store, 1_000_000, MANY).await, 1);
    assert_eq!(get(store, "running").await.state, State::Running);
    assert_eq!(get(store, "waiting").await.state, State::Pending);
    assert_eq!(submit(store, submission("a"), 50).await, 2, "the id is free again");
}

pub async fn removes_ended_executions_of_a_task(store: &impl Store) {
    let task = TaskId::parse("t").unwrap();
    assert_eq!(store.remove_ended(&tenant(), &task, MANY).await.unwrap(), 0);
    for id in ["a", "b", "c", "d"] {
        submit(store, submission(id), 0).await;
    }
    let other = Submission { task_id: TaskId::parse("u").unwrap(), ..submission("other") };
    submit(store, other, 0).await;
    let lease = claim(store, 1).await;
    store.finish(&lease.fence, completed(), at(2)).await.unwrap();
    claim(store, 3).await;
    assert_eq!(cancel(store, "c").await, Some(State::Pending));
    assert_eq!(cancel(store, "other").await, Some(State::Pending));
    assert_eq!(store.remove_ended(&TenantId::parse("b").unwrap(), &task, MANY).await.unwrap(), 0);
    assert_eq!(store.remove_ended(&tenant(), &task, MANY).await.unwrap(), 2);
    let query = ListQuery { limit: MANY, ..ListQuery::default() };
    let left = store.list(&tenant(), &query).await.unwrap();
    let left: Vec<_> = left.iter().map(|execution| execution.id.as_str()).collect();
    assert_eq!(left, ["b", "d", "other"], "pending and running executions stay, and those of other tasks");
    assert_eq!(claim(store, 4).await.submission.id, execution_id("d"));
}

pub async fn keeps_tenants_apart(store: &impl Store) {
    let other_tenant = TenantId::parse("b").unwrap();
    submit(store, submission("a"), 0).await;
    let of_other_tenant = Submission { tenant: other_tenant.clone(), max_retries: 9, ..submission("a") };
    assert_eq!(
        submit(store, of_other_tenant.clone(), 1).await,
        2,
        "the same id names another execution of the other tenant"
    );
    let lease = claim(store, 2).await;
    assert_eq!(lease.submission, submission("a"));
    store.finish(&lease.fence, completed(), at(3)).await.unwrap();
    let found = store.get(&other_tenant, &execution_id("a")).await.unwrap().unwrap();
    assert_eq!((found.state, found.tenant), (State::Pending, other_tenant.clone()));
    let query = ListQuery { limit: MANY, ..ListQuery::default() };
    assert_eq!(store.list(&other_tenant, &query).await.unwrap().len(), 1);
    assert_eq!(store.list(&TenantId::parse("c").unwrap(), &query).await.unwrap().len(), 0);
    let third_tenant = TenantId::parse("c").unwrap();
    assert!(store.get(&third_tenant, &execution_id("a")).await.unwrap().is_none());
    let cancelled = store.cancel_pending(&third_tenant, &execution_id("a"), "", at(4)).await.unwrap();
    assert!(matches!(cancelled, CancelPendingResult::Unknown));
    assert_eq!(claim(store, 5).await.submission, of_other_tenant);
}

pub async fn counts_executions_by_state(store: &impl Store) {
    let assert_stats = async |pending, running| {
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.pending, stats.running), (pending, running));
    };
    assert_stats(0, 0).await;
    for id in ["a", "b", "c"] {
        submit(store, submission(id), 0).await;
    }
    assert_stats(3, 0).await;
    let first = claim(store, 0).await;
    let second = claim(store, 0).await;
    assert_stats(1, 2).await;
    store.retry_later(&first.fence, failure(FailureCode::HostError).into(), at(1), at(9)).await.unwrap();
    assert_stats(2, 1).await;
    store.finish(&second.fence, completed(), at(2)).await.unwrap();
    assert_stats(2, 0).await;
    cancel(store, "a").await;
    cancel(store, "c").await;
    assert_stats(0, 0).await;
}
