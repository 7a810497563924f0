//! What every store promises. [`conformance!`] turns the list into tests of one
//! store; `make` gives an empty one.

use super::{
    Accepted, Admission, AttemptEnd, CancelFound, Expiry, Fence, LOST_WORKERS_MAX, Lease, ListQuery, Store,
    StoreError,
};
use crate::{Execution, Schedule, Submission};
use pilum_types::{
    ExecutionId, Failure, FailureCode, FunctionName, LogLine, LogStream, Outcome, Output, Parameter,
    Priority, State, TaskId, TenantId, Usage, Value,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod later;

pub(crate) use later::{
    calls_back, ends_what_cannot_be_done_in_time, gives_priorities_their_shares,
    hands_back_what_has_not_begun, keeps_a_brought_id_for_its_day, keeps_dead_letters, redrives_under_one_id,
    runs_suspects_one_at_a_time,
};

/// Makes one test of each promise for the store that `$make` returns.
macro_rules! conformance {
    ($make:expr) => {
        $crate::store::conformance::conformance!(@each $make;
            accepts_once, refuses_when_full, claims_in_order, waits_until_due, takes_back_lost_leases,
            ends_what_is_lost_too_often, renews_leases, rejects_stale_fences, records_the_end_for_good,
            records_every_attempt, cancels_only_what_waits, lists_in_pages, expires_what_ended,
            forgets_tasks, keeps_tenants_apart, counts_its_depth, hands_back_what_has_not_begun,
            gives_priorities_their_shares, ends_what_cannot_be_done_in_time, runs_suspects_one_at_a_time,
            keeps_dead_letters, redrives_under_one_id, keeps_a_brought_id_for_its_day, calls_back,
        );
    };
    (@each $make:expr; $($promise:ident,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            let store = $make;
            $crate::store::conformance::$promise(&*store).await;
        })*
    };
}
pub(crate) use conformance;

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

/// Room for so many, and an id of the client's.
fn room(max_pending: usize) -> Admission {
    Admission { max_pending, expected: Duration::ZERO, brought: true }
}

async fn accept(store: &impl Store, submission: Submission, ms: u64) -> usize {
    match store.accept(submission, room(MANY), at(ms)).await.unwrap() {
        Accepted::New { ahead } => ahead,
        other => panic!("expected it to be new, got {other:?}"),
    }
}

async fn claim(store: &impl Store, ms: u64) -> Lease {
    let mut claimed = store.claim(at(ms), LEASE, 1).await.unwrap();
    claimed.leases.pop().unwrap_or_else(|| panic!("expected work, got {claimed:?}"))
}

/// Asserts that there is nothing to claim; returns when there may be.
async fn claim_none(store: &impl Store, ms: u64) -> Option<SystemTime> {
    let claimed = store.claim(at(ms), LEASE, MANY).await.unwrap();
    assert!(claimed.leases.is_empty(), "{claimed:?}");
    claimed.next_due
}

async fn get(store: &impl Store, id: &str) -> Execution {
    store.get(&tenant(), &execution_id(id)).await.unwrap().expect("it is known")
}

async fn cancel(store: &impl Store, id: &str) -> Option<State> {
    match store.cancel(&tenant(), &execution_id(id), "enough", at(900)).await.unwrap() {
        CancelFound::Pending(execution) => {
            assert_eq!((execution.id.as_str(), execution.state), (id, State::Cancelled));
            Some(State::Pending)
        }
        CancelFound::Running => Some(State::Running),
        CancelFound::Ended(state) => Some(state),
        CancelFound::Unknown => None,
    }
}

fn is_stale<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Stale(_)))
}

pub(crate) async fn accepts_once(store: &impl Store) {
    assert_eq!(accept(store, submission("a"), 0).await, 0);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.accepted_at), (State::Pending, at(0)));
    assert_eq!((execution.attempts.len(), execution.started_at, execution.completed_at), (0, None, None));
    assert!(execution.outcome.is_none());

    let again = store.accept(submission("a"), room(MANY), at(5)).await.unwrap();
    assert!(matches!(again, Accepted::Existing(e) if e.accepted_at == at(0) && e.ahead == Some(0)));
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
        let conflict = store.accept(other.clone(), room(MANY), at(5)).await.unwrap();
        assert!(matches!(conflict, Accepted::Conflict), "{other:?}");
    }
    // Its end changes nothing about whose id it is.
    let lease = claim(store, 10).await;
    store.finish(&lease.fence, completed(), at(20)).await.unwrap();
    let again = store.accept(submission("a"), room(0), at(30)).await.unwrap();
    assert!(matches!(again, Accepted::Existing(e) if e.state == State::Completed));
    assert_eq!(claim_none(store, 40).await, None);
}

pub(crate) async fn refuses_when_full(store: &impl Store) {
    for (ahead, id) in ["a", "b"].into_iter().enumerate() {
        let accepted = store.accept(submission(id), room(2), at(0)).await.unwrap();
        assert!(matches!(accepted, Accepted::New { ahead: found } if found == ahead));
    }
    assert!(matches!(store.accept(submission("c"), room(2), at(0)).await.unwrap(), Accepted::Full));
    assert!(store.get(&tenant(), &execution_id("c")).await.unwrap().is_none());
    let known = store.accept(submission("a"), room(2), at(0)).await.unwrap();
    assert!(matches!(known, Accepted::Existing(_)), "a repeat needs no room");
    claim(store, 1).await;
    let accepted = store.accept(submission("c"), room(2), at(2)).await.unwrap();
    assert!(matches!(accepted, Accepted::New { ahead: 1 }), "what runs does not wait");
}

pub(crate) async fn claims_in_order(store: &impl Store) {
    assert_eq!(claim_none(store, 0).await, None);
    for id in ["c", "a", "b"] {
        accept(store, submission(id), 0).await;
    }
    for id in ["c", "a", "b"] {
        let lease = claim(store, 10).await;
        assert_eq!(lease.submission, submission(id), "what came first goes first, as it was given");
        assert_eq!((lease.attempt, lease.execution.accepted_at), (1, at(0)));
        let execution = get(store, id).await;
        assert_eq!((execution.state, execution.started_at), (State::Running, Some(at(10))));
        assert_eq!((execution.attempts[0].number, execution.attempts[0].took), (1, None));
    }
}

pub(crate) async fn waits_until_due(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    let failed = failure(FailureCode::GuestError);
    store.retry_later(&lease.fence, failed.into(), at(100), at(500)).await.unwrap();
    assert_eq!(get(store, "a").await.state, State::Pending);
    assert_eq!(claim_none(store, 499).await, Some(at(500)));
    // It does not hold up what came later.
    accept(store, submission("b"), 200).await;
    assert_eq!(claim(store, 300).await.submission.id, execution_id("b"));
    let lease = claim(store, 500).await;
    assert_eq!((lease.submission.id, lease.attempt), (execution_id("a"), 2));
}

pub(crate) async fn takes_back_lost_leases(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lost = claim(store, 0).await;
    assert_eq!(claim_none(store, 29_999).await, Some(at(30_000)));
    let next = claim(store, 30_000).await;
    assert_eq!(next.attempt, 2);
    assert!(next.fence.token > lost.fence.token, "each claim has a higher token");
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Running, 2));
    assert_eq!(execution.attempts[0].failure.as_ref().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(execution.started_at, Some(at(0)), "the first attempt's");
    store.finish(&next.fence, completed(), at(30_010)).await.unwrap();
}

pub(crate) async fn ends_what_is_lost_too_often(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    claim(store, 0).await;
    let lost = claim(store, 30_000).await;
    assert_eq!(claim_none(store, 60_000).await, None);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Failed, 2));
    assert_eq!(execution.failure().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(execution.completed_at, Some(at(60_000)));
    assert!(is_stale(&store.finish(&lost.fence, completed(), at(60_001)).await));

    // Retries left do not help what takes its workers along.
    accept(store, Submission { max_retries: 9, ..submission("b") }, 0).await;
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
    assert_eq!((execution.state, execution.attempts.len()), (State::Failed, 4), "one was handed back");
}

pub(crate) async fn renews_leases(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    store.renew(&lease.fence, at(20_000), LEASE).await.unwrap();
    assert_eq!(claim_none(store, 49_999).await, Some(at(50_000)));
    store.finish(&lease.fence, completed(), at(49_999)).await.unwrap();
    assert!(is_stale(&store.renew(&lease.fence, at(50_000), LEASE).await));
}

pub(crate) async fn rejects_stale_fences(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lost = claim(store, 0).await;
    let unknown = Fence { id: execution_id("none"), ..lost.fence.clone() };
    let elsewhere = Fence { tenant: TenantId::parse("b").unwrap(), ..lost.fence.clone() };
    let forged = Fence { token: lost.fence.token + 1, ..lost.fence.clone() };
    let check = async |fence: &Fence| {
        let failed = failure(FailureCode::HostError);
        assert!(is_stale(&store.renew(fence, at(1), LEASE).await), "{fence:?}");
        assert!(is_stale(&store.finish(fence, completed(), at(1)).await), "{fence:?}");
        assert!(is_stale(&store.retry_later(fence, failed.into(), at(1), at(1)).await), "{fence:?}");
    };
    for fence in [&unknown, &elsewhere, &forged] {
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

pub(crate) async fn records_the_end_for_good(store: &impl Store) {
    let ends = [
        ("a", completed()),
        ("b", outcome(Ok(Output::Raw(vec![0, 255])))),
        ("c", outcome(Err(failure(FailureCode::TrapOther)))),
        ("d", outcome(Err(failure(FailureCode::DeadlineExceeded)))),
        ("e", outcome(Err(failure(FailureCode::Cancelled)))),
    ];
    for (id, end) in ends {
        accept(store, submission(id), 0).await;
        let lease = claim(store, 10).await;
        store.finish(&lease.fence, end.clone(), at(30)).await.unwrap();
        let execution = get(store, id).await;
        let state = end.result.as_ref().err().map_or(State::Completed, |f| f.code.state());
        assert_eq!((execution.state, execution.completed_at), (state, Some(at(30))), "{id}");
        assert_eq!(format!("{:?}", execution.outcome), format!("{:?}", Some(&end)), "{id}");
        assert_eq!(execution.attempts[0].took, Some(Duration::from_millis(20)));
        assert_eq!(execution.attempts[0].failure, end.result.clone().err());
        assert_eq!(execution.attempts[0].instance, end.instance);

        assert!(is_stale(&store.finish(&lease.fence, completed(), at(40)).await), "{id} has ended");
        assert_eq!(cancel(store, id).await, Some(state));
        assert_eq!(format!("{:?}", get(store, id).await), format!("{execution:?}"), "{id} is final");
    }
    assert_eq!(claim_none(store, 1_000_000).await, None);
}

pub(crate) async fn records_every_attempt(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let codes = [FailureCode::GuestError, FailureCode::HostError, FailureCode::WorkerLost];
    for (begun, code) in (0..).step_by(100).zip(codes) {
        let lease = claim(store, begun).await;
        // A worker may put it back as often as it likes: whether to try again
        // is the worker's to decide.
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

pub(crate) async fn cancels_only_what_waits(store: &impl Store) {
    assert_eq!(cancel(store, "a").await, None);
    accept(store, submission("a"), 0).await;
    assert_eq!(cancel(store, "a").await, Some(State::Pending));
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.completed_at), (State::Cancelled, Some(at(900))));
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Err(Failure::new(FailureCode::Cancelled, "enough")));
    assert!(outcome.instance.is_none() && execution.attempts.is_empty());
    assert_eq!(cancel(store, "a").await, Some(State::Cancelled));
    assert_eq!(claim_none(store, 950).await, None);

    accept(store, submission("b"), 0).await;
    let lease = claim(store, 0).await;
    assert_eq!(cancel(store, "b").await, Some(State::Running));
    assert_eq!(get(store, "b").await.state, State::Running);
    store.retry_later(&lease.fence, failure(FailureCode::HostError).into(), at(1), at(2_000)).await.unwrap();
    assert_eq!(cancel(store, "b").await, Some(State::Pending), "between attempts it waits");
    assert_eq!(get(store, "b").await.attempts.len(), 1);
}

pub(crate) async fn lists_in_pages(store: &impl Store) {
    let all = ListQuery { limit: MANY, ..ListQuery::default() };
    let list = async |query: ListQuery| -> String {
        let found = store.list(&tenant(), &query).await.unwrap();
        found.iter().map(|execution| execution.id.as_str()).collect()
    };
    assert_eq!(list(all.clone()).await, "");
    for id in ["d", "b", "a", "c"] {
        let task_id = TaskId::parse(if id < "c" { "t" } else { "u" }).unwrap();
        accept(store, Submission { task_id, ..submission(id) }, 0).await;
    }
    let lease = claim(store, 1).await;
    store.finish(&lease.fence, completed(), at(2)).await.unwrap();
    claim(store, 3).await;

    assert_eq!(list(all.clone()).await, "abcd", "in ascending order of id");
    assert_eq!(list(ListQuery { limit: 2, ..all.clone() }).await, "ab");
    assert_eq!(list(ListQuery { limit: 0, ..all.clone() }).await, "");
    let after = |id| ListQuery { start_after: Some(execution_id(id)), ..all.clone() };
    assert_eq!(list(after("b")).await, "cd");
    assert_eq!(list(after("bb")).await, "cd", "an id that is none is a place all the same");
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

/// Accepts under an id that no client brought.
async fn accept_made(store: &impl Store, submission: Submission, ms: u64) {
    let made = Admission { brought: false, ..room(MANY) };
    let accepted = store.accept(submission, made, at(ms)).await.unwrap();
    assert!(matches!(accepted, Accepted::New { .. }), "{accepted:?}");
}

async fn expire(store: &impl Store, before: u64, batch: usize) -> usize {
    let expiry = Expiry { ended_before: at(before), dead_before: at(before) };
    store.expire(expiry, at(2_000_000), batch).await.unwrap()
}

pub(crate) async fn expires_what_ended(store: &impl Store) {
    for (id, end) in [("a", 10), ("b", 20), ("c", 30)] {
        accept_made(store, submission(id), 0).await;
        let lease = claim(store, 5).await;
        store.finish(&lease.fence, completed(), at(end)).await.unwrap();
    }
    accept(store, submission("running"), 0).await;
    claim(store, 0).await;
    accept(store, submission("waiting"), 0).await;
    assert_eq!(expire(store, 10, MANY).await, 0, "not yet before that time");
    assert_eq!(expire(store, 31, 2).await, 2, "no more than a batch");
    assert!(store.get(&tenant(), &execution_id("b")).await.unwrap().is_none());
    assert!(store.get(&tenant(), &execution_id("c")).await.unwrap().is_some(), "the oldest go first");
    assert_eq!(expire(store, 1_000_000, MANY).await, 1);
    assert_eq!(get(store, "running").await.state, State::Running);
    assert_eq!(get(store, "waiting").await.state, State::Pending);
    assert_eq!(accept(store, submission("a"), 50).await, 1, "its id is free again");
}

pub(crate) async fn forgets_tasks(store: &impl Store) {
    let task = TaskId::parse("t").unwrap();
    assert_eq!(store.forget_task(&tenant(), &task, MANY).await.unwrap(), 0);
    for id in ["a", "b", "c", "d"] {
        accept(store, submission(id), 0).await;
    }
    let other = Submission { task_id: TaskId::parse("u").unwrap(), ..submission("other") };
    accept(store, other, 0).await;
    let lease = claim(store, 1).await;
    store.finish(&lease.fence, completed(), at(2)).await.unwrap();
    claim(store, 3).await;
    assert_eq!(cancel(store, "c").await, Some(State::Pending));
    assert_eq!(cancel(store, "other").await, Some(State::Pending));
    assert_eq!(store.forget_task(&TenantId::parse("b").unwrap(), &task, MANY).await.unwrap(), 0);
    assert_eq!(store.forget_task(&tenant(), &task, MANY).await.unwrap(), 2);
    let query = ListQuery { limit: MANY, ..ListQuery::default() };
    let left = store.list(&tenant(), &query).await.unwrap();
    let left: Vec<_> = left.iter().map(|execution| execution.id.as_str()).collect();
    assert_eq!(left, ["b", "d", "other"], "what waits or runs stays, and other tasks'");
    assert_eq!(claim(store, 4).await.submission.id, execution_id("d"));
}

pub(crate) async fn keeps_tenants_apart(store: &impl Store) {
    let stranger = TenantId::parse("b").unwrap();
    accept(store, submission("a"), 0).await;
    let theirs = Submission { tenant: stranger.clone(), max_retries: 9, ..submission("a") };
    assert_eq!(accept(store, theirs.clone(), 1).await, 1, "the same id is another execution's there");
    let lease = claim(store, 2).await;
    assert_eq!(lease.submission, submission("a"));
    store.finish(&lease.fence, completed(), at(3)).await.unwrap();
    let found = store.get(&stranger, &execution_id("a")).await.unwrap().unwrap();
    assert_eq!((found.state, found.tenant), (State::Pending, stranger.clone()));
    let query = ListQuery { limit: MANY, ..ListQuery::default() };
    assert_eq!(store.list(&stranger, &query).await.unwrap().len(), 1);
    assert_eq!(store.list(&TenantId::parse("c").unwrap(), &query).await.unwrap().len(), 0);
    let nobody = TenantId::parse("c").unwrap();
    assert!(store.get(&nobody, &execution_id("a")).await.unwrap().is_none());
    let cancelled = store.cancel(&nobody, &execution_id("a"), "", at(4)).await.unwrap();
    assert!(matches!(cancelled, CancelFound::Unknown));
    assert_eq!(claim(store, 5).await.submission, theirs);
}

pub(crate) async fn counts_its_depth(store: &impl Store) {
    let depth = async |pending, running| {
        let depth = store.depth().await.unwrap();
        assert_eq!((depth.pending, depth.running), (pending, running));
    };
    depth(0, 0).await;
    for id in ["a", "b", "c"] {
        accept(store, submission(id), 0).await;
    }
    depth(3, 0).await;
    let first = claim(store, 0).await;
    let second = claim(store, 0).await;
    depth(1, 2).await;
    store.retry_later(&first.fence, failure(FailureCode::HostError).into(), at(1), at(9)).await.unwrap();
    depth(2, 1).await;
    store.finish(&second.fence, completed(), at(2)).await.unwrap();
    depth(2, 0).await;
    cancel(store, "a").await;
    cancel(store, "c").await;
    depth(0, 0).await;
}
