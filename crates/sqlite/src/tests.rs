//! The embedded store passes the conformance suite, and keeps its promises across restarts.

use crate::{OpenError, SqliteConfig, SqliteStore};
use pilum_store::conformance::model;
use pilum_store::{
    Admission, ArtifactLabels, CallbackStore as _, Execution, ExecutionStore as _, Expiry, LOST_WORKERS_MAX,
    Lease, Revision, Store as _, StoreError, Submission, SubmitResult, Task, TaskSpec, TaskStore as _,
    WorkQueue as _,
};
use pilum_types::{
    ArtifactSource, Digest, ExecutionId, Failure, FailureCode, Grants, HttpGrant, InstancePolicy, LogLine,
    LogStream, Outcome, Output, Policy, PolicyLimits, Reuse, State, TaskId, TaskName, TenantId, Usage, Value,
};
use proptest::prelude::*;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A store in a directory of its own.
#[derive(Debug)]
struct Temporary {
    store: Option<SqliteStore>,
    directory: TempDir,
}

impl Temporary {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { store: Some(open(directory.path()).unwrap()), directory }
    }

    /// Closes the store as if the process ended, and opens it again.
    fn restart(&mut self) {
        self.store = None;
        self.store = Some(open(self.directory.path()).unwrap());
    }
}

impl std::ops::Deref for Temporary {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }
}

fn open(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&SqliteConfig { directory: directory.to_owned(), max_bytes: 1 << 30 })
}

pilum_store::conformance!(Temporary::new());

const ADMISSION: Admission =
    Admission { max_pending: 1_000, expected: Duration::ZERO, client_supplied_id: true };

async fn submit(store: &SqliteStore, id: &str) {
    let accepted = store.submit(model::submission(id), ADMISSION, store.clock().now()).await.unwrap();
    assert!(matches!(accepted, SubmitResult::New(_)), "{accepted:?}");
}

async fn claim(store: &SqliteStore) -> Lease {
    let mut claimed = store.claim(store.clock().now(), model::LEASE, 1).await.unwrap();
    claimed.leases.pop().expect("work")
}

async fn get(store: &SqliteStore, id: &str) -> Execution {
    store
        .get(&TenantId::default(), &ExecutionId::parse(id).unwrap())
        .await
        .unwrap()
        .expect("the store has the execution")
}

fn outcome(result: Result<Output, Failure>) -> Arc<Outcome> {
    Arc::new(Outcome { result, usage: Usage::default(), log: Vec::new(), instance: None })
}

#[tokio::test]
async fn accepted_executions_survive_a_restart() {
    let mut store = Temporary::new();
    for id in ["done", "running", "waiting"] {
        submit(&store, id).await;
    }
    let lease = claim(&store).await;
    let text = "x".repeat(100_000);
    let line = LogLine { stream: LogStream::Stderr, text: "said".into() };
    let end = Outcome {
        result: Ok(Output::Typed(Value::List(vec![Value::Number(f64::NAN), Value::String(text)]))),
        usage: Usage { attempt: 1, peak_memory_bytes: 5, ..Usage::default() },
        log: vec![line],
        instance: None,
    };
    store.finish(&lease.fence, Arc::new(end.clone()), store.clock().now()).await.unwrap();
    let lost = claim(&store).await;
    store.begin(&lost.fence).unwrap();
    let before = get(&store, "done").await;
    store.restart();
    assert_eq!(format!("{:?}", get(&store, "done").await), format!("{before:?}"), "also with a large result");
    assert_eq!(get(&store, "running").await.state, State::Pending);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.pending, stats.running), (2, 0));
    // The new process does not know the lease of the old one.
    let stale = store.finish(&lost.fence, outcome(Ok(Output::Raw(Vec::new()))), store.clock().now()).await;
    assert!(matches!(stale, Err(StoreError::LeaseLost(_))));
    let again = claim(&store).await;
    assert_eq!((again.submission.id.as_str(), again.attempt), ("running", 2), "a retry runs first");
    let attempts = &again.execution.attempts;
    assert_eq!(attempts[0].failure.as_ref().map(|f| f.code), Some(FailureCode::WorkerLost));
    assert_eq!(claim(&store).await.submission.id.as_str(), "waiting");
}

#[tokio::test]
async fn an_execution_that_keeps_killing_its_process_fails() {
    let mut store = Temporary::new();
    let submission = Submission { max_retries: 9, ..model::submission("killer") };
    store.submit(submission, ADMISSION, store.clock().now()).await.unwrap();
    for attempt in 1..=LOST_WORKERS_MAX {
        let lease = claim(&store).await;
        assert_eq!(lease.attempt, attempt);
        store.begin(&lease.fence).unwrap();
        store.restart();
    }
    let execution = get(&store, "killer").await;
    assert_eq!((execution.state, execution.is_dead_letter), (State::Failed, true));
    assert_eq!(store.stats().await.unwrap().dead_letters, 1);
    store.restart();
    assert_eq!(store.stats().await.unwrap().dead_letters, 1);
}

#[tokio::test]
async fn a_claimed_attempt_that_had_not_begun_waits_as_before() {
    let mut store = Temporary::new();
    for id in ["a", "b"] {
        submit(&store, id).await;
    }
    for _ in 0..2 * LOST_WORKERS_MAX {
        let first = claim(&store).await;
        assert_eq!((first.submission.id.as_str(), first.attempt), ("a", 1));
        claim(&store).await;
        store.restart();
    }
    assert_eq!(store.stats().await.unwrap().pending, 2);
    assert!(get(&store, "a").await.attempts.is_empty());
}

#[tokio::test]
async fn tasks_survive_a_restart() {
    let mut store = Temporary::new();
    let task = |id: &str| {
        let spec = TaskSpec {
            name: TaskName::parse(id).unwrap(),
            description: "d".into(),
            source: ArtifactSource {
                location: "file:///a".into(),
                checksum: Some(Digest::from_bytes([1; 32])),
            },
            artifact: ArtifactLabels { id: "i".into(), kind: "k".into(), version: "v".into() },
            metadata: vec![("a".into(), "b".into())],
            policy: Arc::default(),
        };
        let policy = Policy {
            limits: PolicyLimits { timeout: Some(Duration::from_millis(7)), ..PolicyLimits::default() },
            instances: InstancePolicy { reuse: Some(Reuse::default()), idle_min: 1, idle_max: 2 },
            environment: Arc::from([("a".into(), "b".into())]),
            grants: Grants {
                config: Some(vec![("k".into(), "v".into())]),
                http: vec![HttpGrant::parse("a.example:81").unwrap()],
                key_value: true,
                logging: true,
            },
        };
        let digest = Digest::from_bytes([1; 32]);
        let next = Revision {
            number: 2,
            spec: TaskSpec { policy: Arc::new(policy), ..spec.clone() },
            digest,
            deployed_at: model::at(8),
        };
        let first = Task::new(TaskId::parse(id).unwrap(), TenantId::default(), spec, digest, model::at(7));
        Arc::new(first.with_revision(next, 10))
    };
    for id in ["a", "b", "c"] {
        store.put_task(&task(id)).await.unwrap();
    }
    store.remove_task(&TenantId::default(), &TaskId::parse("b").unwrap()).await.unwrap();
    store.restart();
    let stored = store.tasks().unwrap();
    assert_eq!(format!("{stored:?}"), format!("{:?}", [&task("a"), &task("c")]));
}

#[tokio::test]
async fn callbacks_survive_a_restart() {
    let mut store = Temporary::new();
    let submission = Submission { callback: Some("https://example.com".into()), ..model::submission("a") };
    store.submit(submission, ADMISSION, store.clock().now()).await.unwrap();
    let lease = claim(&store).await;
    store.finish(&lease.fence, outcome(Ok(Output::Raw(Vec::new()))), store.clock().now()).await.unwrap();
    for _ in 0..2 {
        let due = store.due_callbacks(store.clock().now(), 10).await.unwrap().callbacks;
        assert_eq!(due.len(), 1, "the process ended during the delivery");
        store.restart();
    }
}

#[tokio::test]
async fn submissions_are_refused_at_the_bound_in_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { directory: directory.path().to_owned(), max_bytes: 400_000 };
    let store = SqliteStore::open(&config).unwrap();
    let mut accepted = Vec::new();
    loop {
        let id = format!("e{}", accepted.len());
        let mut submission = model::submission(&id);
        submission.environment = [("K".to_owned(), "x".repeat(50_000))].into();
        match store.submit(submission, ADMISSION, model::at(1)).await.unwrap() {
            SubmitResult::New(_) => accepted.push(id),
            SubmitResult::StoreFull { max_bytes: 400_000 } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!((4..8).contains(&accepted.len()), "{}", accepted.len());
    // Expired results make room.
    for id in &accepted {
        store
            .cancel_pending(&TenantId::default(), &ExecutionId::parse(id).unwrap(), "", model::at(2))
            .await
            .unwrap();
    }
    let expiry = Expiry { ended_before: model::at(3), dead_letters_before: model::at(3) };
    store.expire(expiry, model::at(1_000_000), 100).await.unwrap();
    submit(&store, "again").await;
}

#[tokio::test]
async fn the_log_stays_small_after_large_changes() {
    let store = Temporary::new();
    for i in 0..64 {
        let mut submission = model::submission(&format!("e{i}"));
        submission.environment = [("K".to_owned(), "x".repeat(1 << 20))].into();
        store.submit(submission, ADMISSION, store.clock().now()).await.unwrap();
    }
    let log = std::fs::metadata(store.directory.path().join("executions.db-wal")).unwrap().len();
    assert!(log < 32 << 20, "{log} bytes of log for 64 MiB of changes");
    // A submission is written once, however often its row changes.
    let before = store.stats().await.unwrap().bytes;
    for _ in 0..64 {
        let lease = claim(&store).await;
        assert_eq!(lease.submission.environment[0].1.len(), 1 << 20);
        store.finish(&lease.fence, outcome(Ok(Output::Raw(Vec::new()))), store.clock().now()).await.unwrap();
    }
    let log = std::fs::metadata(store.directory.path().join("executions.db-wal")).unwrap().len();
    assert!(log < 32 << 20, "{log} bytes of log");
    assert!(store.stats().await.unwrap().bytes < before + (1 << 20));
    let expiry = Expiry { ended_before: store.clock().now(), dead_letters_before: store.clock().now() };
    let later = store.clock().now() + 2 * Duration::from_secs(86_400);
    assert_eq!(store.expire(expiry, later, 100).await.unwrap(), 64);
    assert!(store.stats().await.unwrap().bytes < 1 << 20, "submissions are removed with their executions");
}

#[tokio::test]
async fn two_processes_do_not_share_a_store() {
    let store = Temporary::new();
    let second = open(store.directory.path());
    assert!(matches!(second, Err(OpenError::InUse { directory }) if directory == store.directory.path()));
}

#[tokio::test]
async fn a_newer_file_and_a_file_that_is_no_store_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let path = directory.path().join("executions.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let cause = |opened: Result<SqliteStore, OpenError>| match opened {
        Err(OpenError::Store { cause, .. }) => cause.to_string(),
        other => panic!("{other:?}"),
    };
    let newer = cause(open(directory.path()));
    assert!(newer.contains("version 99"), "{newer}");
    for name in ["executions.db-wal", "executions.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    std::fs::write(&path, "this is not a database, but SQLite reads its header").unwrap();
    let garbage = cause(open(directory.path()));
    assert!(garbage.contains("not a database"), "{garbage}");
}

/// The test renames the column and the table back to their names in version 1.
#[tokio::test]
async fn a_file_of_version_1_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = open(directory.path()).unwrap();
        submit(&store, "a").await;
    }
    let connection = Connection::open(directory.path().join("executions.db")).unwrap();
    let to_version_1 = "ALTER TABLE executions RENAME COLUMN client_supplied_id TO brought;
        ALTER TABLE clock_checkpoint RENAME TO anchor;
        PRAGMA user_version = 1;";
    connection.execute_batch(to_version_1).unwrap();
    drop(connection);
    let store = open(directory.path()).unwrap();
    assert_eq!(get(&store, "a").await.state, State::Pending);
    submit(&store, "b").await;
    assert_eq!(claim(&store).await.submission.id.as_str(), "a");
}

#[tokio::test]
async fn concurrent_changes_share_commits() {
    let store = Temporary::new();
    let before = store.stats().await.unwrap();
    let ids: Vec<String> = (0..200).map(|i| format!("e{i}")).collect();
    futures::future::join_all(ids.iter().map(|id| submit(&store, id))).await;
    let after = store.stats().await.unwrap();
    assert_eq!((after.pending, after.changes - before.changes), (200, 200));
    assert!(after.commits - before.commits < 100, "{after:?}");
}

#[tokio::test]
async fn a_change_is_made_even_if_its_caller_stops_waiting() {
    use futures::FutureExt as _;
    let store = Temporary::new();
    let reply = store.submit(model::submission("a"), ADMISSION, model::at(0)).now_or_never();
    assert!(reply.is_none(), "the change is not durable yet");
    submit(&store, "b").await;
    assert_eq!(get(&store, "a").await.state, State::Pending);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn executions_change_state_only_as_allowed(ops in model::ops()) {
        model::check(&*Temporary::new(), &ops);
    }
}
