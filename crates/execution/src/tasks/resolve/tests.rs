//! Tests of the task that a call gets, and of the registration by calls.

use crate::testing::fake::{TestHost, call, digest, execution_id, parameter, spec, with_id};
use crate::{BindError, Invocation, Mode, PrepareError, RequestError, Target};
use pilum_types::{Parameter, State, TaskId, TenantId, Value};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

fn call_of(target: Target) -> Invocation {
    Invocation { target, ..call("echo") }
}

fn new(name: &str, location: &str) -> Invocation {
    call_of(Target::New(spec(name, location)))
}

fn checked(name: &str, location: &str) -> Invocation {
    let mut spec = spec(name, location);
    spec.source.checksum = Some(digest(location));
    call_of(Target::New(spec))
}

fn existing(id: &TaskId) -> Invocation {
    call_of(Target::Existing { id: id.clone(), otherwise: None })
}

#[tokio::test(start_paused = true)]
async fn a_new_task_is_registered_with_its_digest_pinned() {
    let host = TestHost::new();
    let execution = host.finish(new("a", "file:a")).await;
    let view = host.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap();
    assert_eq!(view.task.digest, digest("file:a"));
    assert_eq!(view.task.spec.source.checksum, Some(digest("file:a")));
    assert_eq!((view.execution_count, view.last_state), (1, Some(State::Completed)));
    let again = host.finish(existing(&execution.task_id)).await;
    assert_eq!(again.task_id, execution.task_id);
}

#[tokio::test(start_paused = true)]
async fn a_registered_name_means_its_task_if_the_code_is_the_same() {
    let host = TestHost::new();
    let first = host.finish(new("a", "file:a")).await.task_id.clone();
    for same in
        [new("a", "file:a"), new("a", "file:a-copy"), checked("a", "file:a"), checked("a", "file:a-copy")]
    {
        assert_eq!(host.finish(same).await.task_id, first);
    }
    for other in [new("a", "file:b"), checked("a", "file:b")] {
        let refused = host.invoke(other).await;
        assert!(
            matches!(&refused, Err(RequestError::NameTaken { existing, offered, .. })
            if *existing == digest("file:a") && *offered == digest("file:b")),
            "{refused:?}"
        );
    }
    assert_eq!(host.task_names(), ["a"]);
    assert_eq!(host.fake.runs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_given_checksum_is_compared_without_fetching() {
    let host = TestHost::new();
    host.finish(new("a", "file:a")).await;
    let prepares = host.fake.prepares.load(SeqCst);
    assert!(host.invoke(checked("a", "file:b")).await.is_err());
    assert_eq!(host.fake.prepares.load(SeqCst), prepares);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_refused_or_registered_on_request() {
    let host = TestHost::new();
    let id = TaskId::parse("my-task").unwrap();
    let refused = host.invoke(existing(&id)).await;
    assert!(matches!(refused, Err(RequestError::TaskNotFound { id }) if id == "my-task"));
    let create = call_of(Target::Existing { id: id.clone(), otherwise: Some(spec("a", "file:a")) });
    assert_eq!(host.finish(create.clone()).await.task_id, id);
    assert_eq!(host.finish(existing(&id)).await.task_id, id);
    // The id is known now, so the spec is not used.
    let other = call_of(Target::Existing { id: id.clone(), otherwise: Some(spec("b", "file:b")) });
    assert_eq!(host.finish(other).await.task_id, id);
    assert_eq!(host.task_names(), ["a"]);
    // Another tenant's id is unknown.
    let other_tenants = Invocation { tenant: TenantId::parse("b").unwrap(), ..existing(&id) };
    assert!(matches!(host.invoke(other_tenants).await, Err(RequestError::TaskNotFound { .. })));
    assert!(host.executions.tasks().get(&TenantId::parse("b").unwrap(), &id).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_bound_registers_no_task() {
    let host = TestHost::new();
    let bad = Parameter { name: "bad".into(), ..parameter(Value::Null) };
    for mode in [Mode::Sync, Mode::Async] {
        let missing = host.invoke(Invocation { mode, ..call("missing") }).await;
        assert!(matches!(missing, Err(RequestError::Bind(BindError::FunctionNotFound { .. }))));
        let does_not_fit =
            host.invoke(Invocation { mode, parameters: vec![bad.clone()], ..call("echo") }).await;
        assert!(matches!(does_not_fit, Err(RequestError::Bind(BindError::Parameter { .. }))));
    }
    host.fake.unavailable.store(true, SeqCst);
    let unavailable = host.invoke(call("echo")).await;
    assert!(matches!(unavailable, Err(RequestError::Prepare(PrepareError::Unavailable(_)))));
    assert!(host.task_names().is_empty());
    assert_eq!(host.executions.query().stats().await.unwrap().refused, 5);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_with_one_name_register_one_task() {
    let host = TestHost::with(|s| s.sync.max_concurrent_requests = 1_000);
    *host.fake.prepare_takes.lock().unwrap() = Duration::from_secs(1);
    let callers: Vec<_> =
        (0..300).map(|i| host.spawn(new("a", if i % 3 == 0 { "file:b" } else { "file:a" }))).collect();
    let mut ids = std::collections::BTreeSet::new();
    let mut refused = 0;
    for caller in callers {
        match caller.await.unwrap() {
            Ok(crate::Reply::Finished(execution)) => drop(ids.insert(execution.task_id.clone())),
            Err(RequestError::NameTaken { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((ids.len(), host.task_names().len()), (1, 1));
    assert!(refused == 100 || refused == 200, "{refused} calls with the other code are refused");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_refused_at_the_bound_of_tasks() {
    let host = TestHost::new();
    for name in ["a", "b", "c"] {
        host.finish(new(name, "file:a")).await;
    }
    for mode in [Mode::Sync, Mode::Async] {
        let refused = host.invoke(Invocation { mode, ..with_id("mine", new("d", "file:a")) }).await;
        assert!(matches!(refused, Err(RequestError::TooManyTasks { max: 3 })));
    }
    assert!(host.get(&execution_id("mine")).await.is_none());
    host.assert_nothing_held();
}

#[tokio::test(start_paused = true)]
async fn a_name_or_id_means_the_name_first() {
    let host = TestHost::new();
    let task = host.finish(new("a", "file:a")).await.task_id.clone();
    let by = |text: &str| call_of(Target::NameOrId(text.to_owned()));
    assert_eq!(host.finish(by("a")).await.task_id, task);
    assert_eq!(host.finish(by(task.as_str())).await.task_id, task);
    for unknown in ["b", "", "no id at all"] {
        let refused = host.invoke(by(unknown)).await;
        assert!(matches!(refused, Err(RequestError::TaskNotFound { id }) if id == unknown));
    }
}
