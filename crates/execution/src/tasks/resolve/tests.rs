//! Which task a call gets, and when one is registered.

use crate::testing::fake::{Rig, call, digest, execution_id, parameter, spec, under};
use crate::{BindError, Invocation, Mode, PrepareError, RequestError, Target};
use pilum_types::{Parameter, State, TaskId, TenantId, Value};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

fn on(target: Target) -> Invocation {
    Invocation { target, ..call("echo") }
}

fn new(name: &str, location: &str) -> Invocation {
    on(Target::New(spec(name, location)))
}

fn checked(name: &str, location: &str) -> Invocation {
    let mut spec = spec(name, location);
    spec.source.checksum = Some(digest(location));
    on(Target::New(spec))
}

fn existing(id: &TaskId) -> Invocation {
    on(Target::Existing { id: id.clone(), otherwise: None })
}

#[tokio::test(start_paused = true)]
async fn a_new_task_is_registered_with_its_digest_pinned() {
    let rig = Rig::new();
    let execution = rig.finish(new("a", "file:a")).await;
    let view = rig.executions.tasks().get(&TenantId::default(), &execution.task_id).unwrap();
    assert_eq!(view.task.digest, digest("file:a"));
    assert_eq!(view.task.spec.source.checksum, Some(digest("file:a")));
    assert_eq!((view.execution_count, view.last_state), (1, Some(State::Completed)));
    let again = rig.finish(existing(&execution.task_id)).await;
    assert_eq!(again.task_id, execution.task_id);
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_means_the_task_if_the_code_is_the_same() {
    let rig = Rig::new();
    let first = rig.finish(new("a", "file:a")).await.task_id.clone();
    for same in
        [new("a", "file:a"), new("a", "file:a-copy"), checked("a", "file:a"), checked("a", "file:a-copy")]
    {
        assert_eq!(rig.finish(same).await.task_id, first);
    }
    for other in [new("a", "file:b"), checked("a", "file:b")] {
        let refused = rig.invoke(other).await;
        assert!(
            matches!(&refused, Err(RequestError::NameTaken { existing, offered, .. })
            if *existing == digest("file:a") && *offered == digest("file:b")),
            "{refused:?}"
        );
    }
    assert_eq!(rig.task_names(), ["a"]);
    assert_eq!(rig.fake.runs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_given_checksum_is_compared_without_fetching() {
    let rig = Rig::new();
    rig.finish(new("a", "file:a")).await;
    let prepares = rig.fake.prepares.load(SeqCst);
    assert!(rig.invoke(checked("a", "file:b")).await.is_err());
    assert_eq!(rig.fake.prepares.load(SeqCst), prepares);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_refused_or_registered_as_asked() {
    let rig = Rig::new();
    let id = TaskId::parse("my-task").unwrap();
    let refused = rig.invoke(existing(&id)).await;
    assert!(matches!(refused, Err(RequestError::TaskNotFound { id }) if id == "my-task"));
    let create = on(Target::Existing { id: id.clone(), otherwise: Some(spec("a", "file:a")) });
    assert_eq!(rig.finish(create.clone()).await.task_id, id);
    assert_eq!(rig.finish(existing(&id)).await.task_id, id);
    // Known by now: the spec is not looked at.
    let other = on(Target::Existing { id: id.clone(), otherwise: Some(spec("b", "file:b")) });
    assert_eq!(rig.finish(other).await.task_id, id);
    assert_eq!(rig.task_names(), ["a"]);
    // Another tenant's id is unknown.
    let elsewhere = Invocation { tenant: TenantId::parse("b").unwrap(), ..existing(&id) };
    assert!(matches!(rig.invoke(elsewhere).await, Err(RequestError::TaskNotFound { .. })));
    assert!(rig.executions.tasks().get(&TenantId::parse("b").unwrap(), &id).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_called_registers_nothing() {
    let rig = Rig::new();
    let bad = Parameter { name: "bad".into(), ..parameter(Value::Null) };
    for mode in [Mode::Sync, Mode::Async] {
        let missing = rig.invoke(Invocation { mode, ..call("missing") }).await;
        assert!(matches!(missing, Err(RequestError::Bind(BindError::FunctionNotFound { .. }))));
        let unfit = rig.invoke(Invocation { mode, parameters: vec![bad.clone()], ..call("echo") }).await;
        assert!(matches!(unfit, Err(RequestError::Bind(BindError::Parameter { .. }))));
    }
    rig.fake.unavailable.store(true, SeqCst);
    let unavailable = rig.invoke(call("echo")).await;
    assert!(matches!(unavailable, Err(RequestError::Prepare(PrepareError::Unavailable(_)))));
    assert!(rig.task_names().is_empty());
    assert_eq!(rig.executions.query().stats().await.unwrap().refused, 5);
}

#[tokio::test(start_paused = true)]
async fn racers_for_one_name_register_one_task() {
    let rig = Rig::with(|s| s.sync.max_concurrent_requests = 1_000);
    *rig.fake.prepare_takes.lock().unwrap() = Duration::from_secs(1);
    let racers: Vec<_> =
        (0..300).map(|i| rig.spawn(new("a", if i % 3 == 0 { "file:b" } else { "file:a" }))).collect();
    let mut ids = std::collections::BTreeSet::new();
    let mut refused = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(crate::Reply::Finished(execution)) => drop(ids.insert(execution.task_id.clone())),
            Err(RequestError::NameTaken { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((ids.len(), rig.task_names().len()), (1, 1));
    assert!(refused == 100 || refused == 200, "{refused}: one code won");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_only_so_many_tasks() {
    let rig = Rig::new();
    for name in ["a", "b", "c"] {
        rig.finish(new(name, "file:a")).await;
    }
    for mode in [Mode::Sync, Mode::Async] {
        let refused = rig.invoke(Invocation { mode, ..under("mine", new("d", "file:a")) }).await;
        assert!(matches!(refused, Err(RequestError::TooManyTasks { max: 3 })));
    }
    assert!(rig.get(&execution_id("mine")).await.is_none());
    rig.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_name_or_id_means_the_name_first() {
    let rig = Rig::new();
    let task = rig.finish(new("a", "file:a")).await.task_id.clone();
    let by = |text: &str| on(Target::NameOrId(text.to_owned()));
    assert_eq!(rig.finish(by("a")).await.task_id, task);
    assert_eq!(rig.finish(by(task.as_str())).await.task_id, task);
    for unknown in ["b", "", "no id at all"] {
        let refused = rig.invoke(by(unknown)).await;
        assert!(matches!(refused, Err(RequestError::TaskNotFound { id }) if id == unknown));
    }
}
