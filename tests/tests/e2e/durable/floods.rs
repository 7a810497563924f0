//! More submissions than the queue has room for, and many submissions at once.

use super::script;
use futures::StreamExt as _;
use pilum_client::{Code, Mode};
use pilum_tests::{Functions, Host, Script, ended, idle};
use pilum_types::{ExecutionId, State};
use serde_json::json;
use std::time::Duration;

const RACERS: usize = 1_000;
const OFFERED: usize = 2_000;
const AT_ONCE: usize = 64;

#[tokio::test]
async fn a_thousand_submissions_with_one_id_are_one_execution() {
    let host = Host::start().await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    add.invoke("add", json!([1, 1])).await.unwrap();
    let id = ExecutionId::parse("mine").unwrap();
    let racers = (0..RACERS).map(|_| {
        let call = add.call("add", json!([1, 1])).unwrap().mode(Mode::Async).execution_id(id.clone());
        add.client().invoke(call)
    });
    let answers: Vec<_> = futures::stream::iter(racers).buffer_unordered(RACERS).collect().await;
    for answer in answers {
        assert_eq!(answer.unwrap().execution_id, id);
    }
    assert_eq!(ended(add.client(), &id).await.unwrap().attempts.len(), 1, "it ran once");
    let stats = add.client().stats().await.unwrap();
    assert_eq!(stats.completed, 2, "the first call and this one: {stats:?}");
}

#[tokio::test]
async fn a_full_queue_runs_what_it_accepted_and_creates_nothing_for_what_it_refused() {
    let host = Host::builder()
        .config("[async_execution]\nmax_queue_size = 50\nmax_concurrent_executions = 2")
        .start()
        .await
        .unwrap();
    let sleeps = script(&host, "sleeps", &Script::sleeps(Duration::from_millis(5))).await;
    let offers = (0..OFFERED).map(|n| {
        let id = ExecutionId::parse(&format!("e-{n}")).unwrap();
        let call = sleeps.call("run", json!(null)).unwrap().mode(Mode::Async).execution_id(id.clone());
        let client = sleeps.client();
        async move { (id, client.invoke(call).await) }
    });
    let answers: Vec<_> = futures::stream::iter(offers).buffer_unordered(AT_ONCE).collect().await;
    idle(sleeps.client()).await.unwrap();
    let (mut taken, mut refused) = (0, 0);
    for (id, answer) in answers {
        let found = sleeps.client().status(&id, false, false).await.unwrap();
        match answer {
            Ok(_) => {
                taken += 1;
                assert_eq!(found.map(|report| report.status.state), Some(State::Completed), "{id}");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.code(), Some(Code::ResourceExhausted), "{error}");
                assert!(error.retry_after().is_some() && found.is_none(), "{id}");
            }
        }
    }
    assert!(taken >= 50 && refused > 0, "{taken} taken, {refused} refused");
}
