//! A host ends, and another starts over the same data.

use super::submit;
use pilum_client::{Call, Mode, Target};
use pilum_tests::{Functions, Host, Script, ended, idle, until};
use pilum_types::{ExecutionId, FunctionName, State};
use serde_json::json;
use std::time::Duration;

const END_MAX: Duration = Duration::from_secs(60);
/// Runs one execution at a time, so that most wait.
const SLOW: &str = "[async_execution]\nmax_concurrent_executions = 1";

async fn over(data: &std::path::Path) -> Host {
    Host::builder().config(SLOW).data_dir(data).start().await.unwrap()
}

#[tokio::test]
async fn accepted_executions_end_though_the_host_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let first = over(data.path()).await;
    let add = Functions::of_guest(&first, "calculate-fibonacci.core.wasm").await.unwrap();
    let sleeps = Script::sleeps(Duration::from_secs(1)).wasm().unwrap();
    let sleeps = Functions::of_bytes(&first, "sleeps", &sleeps).await.unwrap();
    let done = submit(&add, add.call("add", json!([1, 1])).unwrap()).await;
    let done_before = ended(add.client(), &done).await.unwrap();
    let running = submit(&sleeps, sleeps.call("run", json!(null)).unwrap()).await;
    let mut waiting = Vec::new();
    for n in 0..20 {
        waiting.push(submit(&add, add.call("add", json!([n, 1])).unwrap()).await);
    }
    until("the sleeper to run", async || {
        let report = add.client().status(&running, false, false).await?;
        Ok(report.filter(|report| report.status.state == State::Running))
    })
    .await
    .unwrap();
    let tasks = add.client().list_tasks("").await.unwrap();
    first.kill().await.unwrap();

    let second = over(data.path()).await;
    let client = second.client().await.unwrap();
    assert_eq!(
        client.list_tasks("").await.unwrap().len(),
        tasks.len(),
        "the tasks are known without being registered again"
    );
    assert_eq!(ended(&client, &done).await.unwrap(), done_before, "a terminal state is final");
    for (n, id) in waiting.iter().enumerate() {
        let report = ended(&client, id).await.unwrap();
        assert_eq!(report.status.state, State::Completed, "{report:?}");
        assert_eq!(
            report.status.output,
            Some(pilum_types::Output::Typed(pilum_types::Value::Number(n as f64 + 1.0)))
        );
        assert_eq!(report.attempts.len(), 1, "{report:?}");
    }
    let report = ended(&client, &running).await.unwrap();
    let codes: Vec<_> = report.attempts.iter().map(|attempt| attempt.error_code.as_deref()).collect();
    assert_eq!((report.status.state, codes), (State::Completed, vec![Some("WORKER_LOST"), None]));
    // The task keeps its id.
    let task = tasks.iter().find(|task| task.name == "calculate-fibonacci.core").unwrap();
    let call = Call::new(Target::Existing(task.id.clone()), FunctionName::parse("add").unwrap());
    let invoked = client.invoke(call.parameters(pilum_tests::parameters_of(json!([2, 3])).unwrap())).await;
    assert!(invoked.unwrap().success);
}

#[tokio::test]
async fn a_host_that_shuts_down_returns_running_executions_to_the_queue() {
    let data = tempfile::tempdir().unwrap();
    let shutdown = "[shutdown]\ndrain_timeout_ms = 300";
    let first = Host::builder().config(SLOW).config(shutdown).data_dir(data.path()).start().await.unwrap();
    let sleeps = Script::sleeps(Duration::from_secs(2)).wasm().unwrap();
    let sleeps = Functions::of_bytes(&first, "sleeps", &sleeps).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submit(&sleeps, sleeps.call("run", json!(null)).unwrap()).await);
    }
    until("one execution to run", async || Ok((sleeps.client().health().await?.running == 1).then_some(())))
        .await
        .unwrap();
    assert!(first.terminate(END_MAX).await.unwrap(), "the host ends with exit code 0");
    let second = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = second.client().await.unwrap();
    let mut attempts = Vec::new();
    for id in &ids {
        let report = ended(&client, id).await.unwrap();
        assert_eq!(report.status.state, State::Completed, "{report:?}");
        attempts.push(report.attempts.len());
    }
    assert_eq!(attempts, [2, 1, 1], "only the execution that had begun has another attempt");
}

#[tokio::test]
async fn a_deleted_task_stays_deleted() {
    let data = tempfile::tempdir().unwrap();
    let first = over(data.path()).await;
    let add = Functions::of_guest(&first, "calculate-fibonacci.core.wasm").await.unwrap();
    let task = add.invoke("add", json!([1, 1])).await.unwrap().task_id;
    let id = submit(&add, add.call("add", json!([1, 1])).unwrap()).await;
    ended(add.client(), &id).await.unwrap();
    let deletion = add.client().delete_task(&task, true, true).await.unwrap();
    assert!(deletion.deleted && deletion.cleaned_executions == 2, "{deletion:?}");
    first.kill().await.unwrap();
    let second = over(data.path()).await;
    let client = second.client().await.unwrap();
    assert!(client.list_tasks("").await.unwrap().is_empty());
    assert!(client.status(&id, false, false).await.unwrap().is_none());
}

#[tokio::test]
async fn an_id_stands_for_the_same_call_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mine = || ExecutionId::parse("mine").unwrap();
    let call = |add: &Functions, n: u32| {
        add.call("add", json!([n, 1])).unwrap().execution_id(mine()).mode(Mode::Async)
    };
    for round in 0..2 {
        let host = over(data.path()).await;
        let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
        let invoked = add.client().invoke(call(&add, 1)).await.unwrap();
        assert_eq!(invoked.execution_id, mine());
        let refused = add.client().invoke(call(&add, 2)).await.unwrap_err();
        assert_eq!(refused.code(), Some(pilum_client::Code::AlreadyExists), "round {round}: {refused}");
        let report = ended(add.client(), &mine()).await.unwrap();
        assert_eq!(report.attempts.len(), 1, "the call ran once");
        host.kill().await.unwrap();
    }
}

/// An execution whose attempts all end with the host's process.
#[tokio::test]
async fn an_execution_that_kills_its_host_three_times_fails() {
    let data = tempfile::tempdir().unwrap();
    let host = over(data.path()).await;
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    add.invoke("add", json!([1, 1])).await.unwrap();
    host.kill().await.unwrap();
    // The host dies as soon as an attempt begins, three times.
    let mut id = None;
    for round in 0..3 {
        let builder = Host::builder().data_dir(data.path()).env("PILUMTEST_FAIL_POINT", "run.before:1");
        let Ok(host) = builder.start().await else { continue };
        if round == 0 {
            let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
            id = ExecutionId::parse("killer").ok();
            let call = add.call("add", json!([1, 1])).unwrap().execution_id(id.clone().unwrap());
            // The host may be gone before it has answered.
            let _ = add.client().invoke(call.mode(Mode::Async)).await;
        }
        assert_ne!(host.ended(END_MAX).await.unwrap(), Some(0));
    }
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.client().await.unwrap();
    idle(&client).await.unwrap();
    let report = client.status(&id.unwrap(), true, true).await.unwrap().unwrap();
    assert_eq!(report.status.error_code.as_deref(), Some("WORKER_LOST"), "{report:?}");
    assert!(report.is_dead_letter && report.attempts.len() == 3, "{report:?}");
}
