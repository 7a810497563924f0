//! What every store promises. [`conformance!`] turns the list into tests of one
//! store; `make` gives an empty one.

use super::{
    Accepted, CancelFound, Claim, Depth, Fence, LOST_WORKERS_MAX, Lease, ListQuery, Store, StoreError,
    Submission,
};
use crate::Execution;
use pilum_types::{
    ExecutionId, Failure, FailureCode, FunctionName, LogLine, LogStream, Outcome, Output, Parameter, Receipt,
    State, TaskId, TenantId, Value,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes one test of each promise for the store that `$make` returns.
macro_rules! conformance {
    ($make:expr) => {
        $crate::store::conformance::conformance!(@each $make;
            accepts_once, refuses_when_full, claims_in_order, waits_until_due, takes_back_lost_leases,
            ends_what_is_lost_too_often, renews_leases, rejects_stale_fences, records_the_end_for_good,
            records_every_attempt, cancels_only_what_waits, lists_in_pages, expires_what_ended,
            forgets_tasks, keeps_tenants_apart, counts_its_depth,
        );
    };
    (@each $make:expr; $($promise:ident,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            $crate::store::conformance::$promise(&$make).await;
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
    }
}

fn outcome(result: Result<Output, Failure>) -> Outcome {
    Outcome {
        result,
        receipt: Receipt { attempt: 1, fuel_consumed: Some(7), ..Receipt::default() },
        log: vec![LogLine { stream: LogStream::Stderr, text: "said".into() }],
        instance: Some(pilum_types::InstanceId::from_parts(1, 2)),
    }
}

fn completed() -> Outcome {
    outcome(Ok(Output::Typed(Value::String("done".into()))))
}

fn failure(code: FailureCode) -> Failure {
    Failure::new(code, "why")
}

async fn accept(store: &impl Store, submission: Submission, ms: u64) -> usize {
    match store.accept(submission, MANY, at(ms)).await.unwrap() {
        Accepted::New { ahead } => ahead,
        other => panic!("expected it to be new, got {other:?}"),
    }
}

async fn claim(store: &impl Store, ms: u64) -> Lease {
    match store.claim(at(ms), LEASE).await.unwrap() {
        Claim::Leased(lease) => *lease,
        other => panic!("expected work, got {other:?}"),
    }
}

async fn get(store: &impl Store, id: &str) -> Execution {
    store.get(&tenant(), &execution_id(id)).await.unwrap().expect("it is known")
}

async fn cancel(store: &impl Store, id: &str) -> CancelFound {
    store.cancel(&tenant(), &execution_id(id), "enough", at(900)).await.unwrap()
}

fn is_stale(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Stale(_)))
}

pub(crate) async fn accepts_once(store: &impl Store) {
    assert_eq!(accept(store, submission("a"), 0).await, 0);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.accepted_at), (State::Pending, at(0)));
    assert_eq!((execution.attempts.len(), execution.started_at, execution.completed_at), (0, None, None));
    assert!(execution.outcome.is_none());

    let again = store.accept(submission("a"), MANY, at(5)).await.unwrap();
    assert!(matches!(again, Accepted::Existing(e) if e.accepted_at == at(0)));
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
        let conflict = store.accept(other.clone(), MANY, at(5)).await.unwrap();
        assert!(matches!(conflict, Accepted::Conflict), "{other:?}");
    }
    // Its end changes nothing about whose id it is.
    let lease = claim(store, 10).await;
    store.finish(&lease.fence, completed(), at(20)).await.unwrap();
    let again = store.accept(submission("a"), 0, at(30)).await.unwrap();
    assert!(matches!(again, Accepted::Existing(e) if e.state == State::Completed));
    assert!(matches!(store.claim(at(40), LEASE).await.unwrap(), Claim::Empty));
}

pub(crate) async fn refuses_when_full(store: &impl Store) {
    for (ahead, id) in ["a", "b"].into_iter().enumerate() {
        let accepted = store.accept(submission(id), 2, at(0)).await.unwrap();
        assert!(matches!(accepted, Accepted::New { ahead: found } if found == ahead));
    }
    assert!(matches!(store.accept(submission("c"), 2, at(0)).await.unwrap(), Accepted::Full));
    assert!(store.get(&tenant(), &execution_id("c")).await.unwrap().is_none());
    let known = store.accept(submission("a"), 2, at(0)).await.unwrap();
    assert!(matches!(known, Accepted::Existing(_)), "a repeat needs no room");
    claim(store, 1).await;
    let accepted = store.accept(submission("c"), 2, at(2)).await.unwrap();
    assert!(matches!(accepted, Accepted::New { ahead: 1 }), "what runs does not wait");
}

pub(crate) async fn claims_in_order(store: &impl Store) {
    assert!(matches!(store.claim(at(0), LEASE).await.unwrap(), Claim::Empty));
    for id in ["c", "a", "b"] {
        accept(store, submission(id), 0).await;
    }
    for id in ["c", "a", "b"] {
        let lease = claim(store, 10).await;
        assert_eq!(lease.submission, submission(id), "what came first goes first, as it was given");
        assert_eq!((lease.attempt, lease.accepted_at), (1, at(0)));
        let execution = get(store, id).await;
        assert_eq!((execution.state, execution.started_at), (State::Running, Some(at(10))));
        assert_eq!((execution.attempts[0].number, execution.attempts[0].took), (1, None));
    }
}

pub(crate) async fn waits_until_due(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    let failed = failure(FailureCode::GuestError);
    store.retry_later(&lease.fence, failed, at(100), at(500)).await.unwrap();
    assert_eq!(get(store, "a").await.state, State::Pending);
    let early = store.claim(at(499), LEASE).await.unwrap();
    assert!(matches!(early, Claim::NotBefore(due) if due == at(500)), "{early:?}");
    // It does not hold up what came later.
    accept(store, submission("b"), 200).await;
    assert_eq!(claim(store, 300).await.submission.id, execution_id("b"));
    let lease = claim(store, 500).await;
    assert_eq!((lease.submission.id, lease.attempt), (execution_id("a"), 2));
}

pub(crate) async fn takes_back_lost_leases(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lost = claim(store, 0).await;
    let idle = store.claim(at(29_999), LEASE).await.unwrap();
    assert!(matches!(idle, Claim::NotBefore(due) if due == at(30_000)), "{idle:?}");
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
    assert!(matches!(store.claim(at(60_000), LEASE).await.unwrap(), Claim::Empty));
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Failed, 2));
    assert_eq!(execution.failure().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(execution.completed_at, Some(at(60_000)));
    assert!(is_stale(&store.finish(&lost.fence, completed(), at(60_001)).await));

    // Retries left do not help what takes its workers along.
    accept(store, Submission { max_retries: 9, ..submission("b") }, 0).await;
    let back = claim(store, 60_000).await;
    store.retry_later(&back.fence, failure(FailureCode::WorkerLost), at(60_000), at(60_000)).await.unwrap();
    for lost in 0..u64::from(LOST_WORKERS_MAX) {
        assert_eq!(claim(store, 60_000 + 30_000 * lost).await.attempt, 2 + lost as u32);
    }
    assert!(matches!(store.claim(at(150_000), LEASE).await.unwrap(), Claim::Empty));
    let execution = get(store, "b").await;
    assert_eq!((execution.state, execution.attempts.len()), (State::Failed, 4), "one was handed back");
}

pub(crate) async fn renews_leases(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let lease = claim(store, 0).await;
    store.renew(&lease.fence, at(20_000), LEASE).await.unwrap();
    let idle = store.claim(at(49_999), LEASE).await.unwrap();
    assert!(matches!(idle, Claim::NotBefore(due) if due == at(50_000)), "{idle:?}");
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
        assert!(is_stale(&store.retry_later(fence, failed, at(1), at(1)).await), "{fence:?}");
    };
    for fence in [&unknown, &elsewhere, &forged] {
        check(fence).await;
    }
    let current = claim(store, 30_000).await;
    check(&lost.fence).await;
    assert_eq!(get(store, "a").await.state, State::Running);
    store.retry_later(&current.fence, failure(FailureCode::HostError), at(31_000), at(31_000)).await.unwrap();
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
        assert_eq!(cancel(store, id).await, CancelFound::Ended(state));
        assert_eq!(format!("{:?}", get(store, id).await), format!("{execution:?}"), "{id} is final");
    }
    assert!(matches!(store.claim(at(1_000_000), LEASE).await.unwrap(), Claim::Empty));
}

pub(crate) async fn records_every_attempt(store: &impl Store) {
    accept(store, submission("a"), 0).await;
    let codes = [FailureCode::GuestError, FailureCode::HostError, FailureCode::WorkerLost];
    for (begun, code) in (0..).step_by(100).zip(codes) {
        let lease = claim(store, begun).await;
        // A worker may put it back as often as it likes: whether to try again
        // is the worker's to decide.
        store.retry_later(&lease.fence, failure(code), at(begun + 7), at(begun + 100)).await.unwrap();
    }
    let lease = claim(store, 300).await;
    assert_eq!(lease.attempt, 4);
    store.finish(&lease.fence, completed(), at(301)).await.unwrap();
    let attempts = get(store, "a").await.attempts;
    let listed: Vec<_> = attempts.iter().map(|a| (a.number, a.failure.as_ref().map(|f| f.code))).collect();
    let [guest, host, lost] = codes;
    assert_eq!(listed, [(1, Some(guest)), (2, Some(host)), (3, Some(lost)), (4, None)]);
    assert_eq!(attempts[1].started_at, at(100));
    assert_eq!(attempts[1].took, Some(Duration::from_millis(7)));
}

pub(crate) async fn cancels_only_what_waits(store: &impl Store) {
    assert_eq!(cancel(store, "a").await, CancelFound::Unknown);
    accept(store, submission("a"), 0).await;
    assert_eq!(cancel(store, "a").await, CancelFound::Pending);
    let execution = get(store, "a").await;
    assert_eq!((execution.state, execution.completed_at), (State::Cancelled, Some(at(900))));
    let outcome = execution.outcome.as_ref().unwrap();
    assert_eq!(outcome.result, Err(Failure::new(FailureCode::Cancelled, "enough")));
    assert!(outcome.instance.is_none() && execution.attempts.is_empty());
    assert_eq!(cancel(store, "a").await, CancelFound::Ended(State::Cancelled));
    assert!(matches!(store.claim(at(950), LEASE).await.unwrap(), Claim::Empty));

    accept(store, submission("b"), 0).await;
    let lease = claim(store, 0).await;
    assert_eq!(cancel(store, "b").await, CancelFound::Running);
    assert_eq!(get(store, "b").await.state, State::Running);
    store.retry_later(&lease.fence, failure(FailureCode::HostError), at(1), at(2_000)).await.unwrap();
    assert_eq!(cancel(store, "b").await, CancelFound::Pending, "between attempts it waits");
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

pub(crate) async fn expires_what_ended(store: &impl Store) {
    for (id, end) in [("a", 10), ("b", 20), ("c", 30)] {
        accept(store, submission(id), 0).await;
        let lease = claim(store, 5).await;
        store.finish(&lease.fence, completed(), at(end)).await.unwrap();
    }
    accept(store, submission("running"), 0).await;
    claim(store, 0).await;
    accept(store, submission("waiting"), 0).await;
    assert_eq!(store.expire(at(10), MANY).await.unwrap(), 0, "not yet before that time");
    assert_eq!(store.expire(at(31), 2).await.unwrap(), 2, "no more than a batch");
    assert!(store.get(&tenant(), &execution_id("b")).await.unwrap().is_none());
    assert!(store.get(&tenant(), &execution_id("c")).await.unwrap().is_some(), "the oldest go first");
    assert_eq!(store.expire(at(1_000_000), MANY).await.unwrap(), 1);
    assert_eq!(get(store, "running").await.state, State::Running);
    assert_eq!(get(store, "waiting").await.state, State::Pending);
    assert_eq!(accept(store, submission("a"), 50).await, 1, "its id is free again");
}

pub(crate) async fn forgets_tasks(store: &impl Store) {
    let task = TaskId::parse("t").unwrap();
    assert_eq!(store.forget_task(&tenant(), &task).await.unwrap(), 0);
    for id in ["a", "b", "c", "d"] {
        accept(store, submission(id), 0).await;
    }
    let other = Submission { task_id: TaskId::parse("u").unwrap(), ..submission("other") };
    accept(store, other, 0).await;
    let lease = claim(store, 1).await;
    store.finish(&lease.fence, completed(), at(2)).await.unwrap();
    claim(store, 3).await;
    assert_eq!(cancel(store, "c").await, CancelFound::Pending);
    assert_eq!(cancel(store, "other").await, CancelFound::Pending);
    assert_eq!(store.forget_task(&TenantId::parse("b").unwrap(), &task).await.unwrap(), 0);
    assert_eq!(store.forget_task(&tenant(), &task).await.unwrap(), 2);
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
    assert_eq!(cancelled, CancelFound::Unknown);
    assert_eq!(claim(store, 5).await.submission, theirs);
}

pub(crate) async fn counts_its_depth(store: &impl Store) {
    let depth = async |pending, running| {
        assert_eq!(store.depth().await.unwrap(), Depth { pending, running });
    };
    depth(0, 0).await;
    for id in ["a", "b", "c"] {
        accept(store, submission(id), 0).await;
    }
    depth(3, 0).await;
    let first = claim(store, 0).await;
    let second = claim(store, 0).await;
    depth(1, 2).await;
    store.retry_later(&first.fence, failure(FailureCode::HostError), at(1), at(9)).await.unwrap();
    depth(2, 1).await;
    store.finish(&second.fence, completed(), at(2)).await.unwrap();
    depth(2, 0).await;
    cancel(store, "a").await;
    cancel(store, "c").await;
    depth(0, 0).await;
}
