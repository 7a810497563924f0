//! If a caller goes away, the host stops its guest.

use super::{call, put};
use crate::common::cancel;
use pilum_proto::spearlet::{ExecutionStatus, GetStatsRequest, InvokeFunctionRequest};
use pilum_tests::wire::{RawClient, census, ended, guest_artifact, new_task, numbers, until_status, with_id};
use pilum_tests::{Host, get, until};

/// Makes a call and drops it when the guest runs.
async fn drop_while_running(client: &RawClient, id: &str, request: InvokeFunctionRequest) {
    let mut caller = client.clone();
    tokio::select! {
        answer = caller.invoke_function(with_id(id, request)) => panic!("the call ended: {answer:?}"),
        running = until_status(client, id, ExecutionStatus::Running) => { running.unwrap(); }
    }
}

/// Waits until statistics and metrics both say that nothing runs.
async fn until_idle(host: &Host, client: &RawClient) {
    until("an idle host", async || {
        let request = GetStatsRequest { include_execution_stats: true, ..Default::default() };
        let stats = client.clone().get_stats(request).await?.into_inner();
        let (_, metrics) = get(&host.http, "/metrics").await?;
        let running = stats.execution_stats.unwrap().running_executions;
        let idle = running == 0
            && metrics.lines().any(|line| line == "pilum_executions_running 0")
            && metrics.lines().any(|line| line == "pilum_sync_slots_in_use 0");
        Ok(idle.then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_guest_stops_when_its_caller_goes_away() {
    let config = "[sync_execution]\nmax_concurrent_requests = 1\nslot_wait_ms = 30000";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let starts =
        put(&host, "starts.wasm", "(module (start $f) (func $f (loop (br 0))) (func (export \"run\")))");
    for (id, artifact) in [
        ("spin", guest_artifact("hostile_spin.wasm").unwrap()),
        ("sleep", guest_artifact("hostile_sleep.wasm").unwrap()),
        ("component", guest_artifact("hostile_spin.component.wasm").unwrap()),
        ("start-function", starts),
    ] {
        drop_while_running(&client, id, new_task(id, &artifact, "run", vec![])).await;
        let result = ended(&client, id).await.unwrap();
        assert_eq!((result.status(), result.error_code.as_str()), (ExecutionStatus::Cancelled, "CANCELLED"));
        assert!(result.error_message.contains("the caller went away"), "{result:?}");
        until_idle(&host, &client).await;
    }
    // The only slot is free again.
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    assert!(call(&client, new_task("adder", &adder, "add", numbers(&[1.0, 2.0]))).await.success);
}

/// Callers go away at different moments, most of them before their guest runs.
#[tokio::test]
async fn callers_may_go_away_at_any_moment() {
    let config = "[sync_execution]\nmax_concurrent_requests = 4\nslot_wait_ms = 30000";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let spin = guest_artifact("hostile_spin.wasm").unwrap();
    let callers = (0..100_u64).map(|i| {
        let mut caller = client.clone();
        let request = new_task("spin", &spin, "run", vec![]);
        async move {
            let patience = std::time::Duration::from_micros(i * i * 20);
            let answer = tokio::time::timeout(patience, caller.invoke_function(request)).await;
            assert!(answer.is_err(), "a guest that spins returned: {answer:?}");
        }
    });
    futures::future::join_all(callers).await;
    until_idle(&host, &client).await;
    for id in census(&client).await.unwrap().executions {
        let result = ended(&client, &id).await.unwrap();
        assert_eq!(result.status(), ExecutionStatus::Cancelled, "{id}: {result:?}");
    }
    // All four slots are free again: four calls run at once.
    let ids = ["a", "b", "c", "d"];
    let together = async {
        for id in ids {
            until_status(&client, id, ExecutionStatus::Running).await.unwrap();
        }
        for id in ids {
            cancel(&client, id).await;
        }
    };
    let calls = ids.map(|id| call(&client, with_id(id, new_task("spin", &spin, "run", vec![]))));
    let (answers, ()) = tokio::join!(futures::future::join_all(calls), together);
    for answer in answers {
        assert_eq!(answer.result.unwrap().error_code, "CANCELLED");
    }
    until_idle(&host, &client).await;
}
