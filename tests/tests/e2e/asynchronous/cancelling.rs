//! CancelExecution in every state of an execution.

use super::submit;
use crate::common::sleeper;
use pilum_proto::spearlet::{CancelExecutionRequest, CancelExecutionResponse, ExecutionStatus};
use pilum_tests::Host;
use pilum_tests::wire::{RawClient, ended, guest_artifact, new_task, numbers, status, until_status, with_id};

async fn cancel(client: &RawClient, id: &str, force: bool) -> CancelExecutionResponse {
    let reason = "nobody needs it".to_owned();
    let request = CancelExecutionRequest { execution_id: id.to_owned(), reason, force };
    client.clone().cancel_execution(request).await.unwrap().into_inner()
}

async fn check_cancelled(client: &RawClient, id: &str) {
    let result = status(client, id).await.unwrap().unwrap();
    assert_eq!((result.status(), result.error_code.as_str()), (ExecutionStatus::Cancelled, "CANCELLED"));
    assert!(result.error_message.contains("nobody needs it"), "{result:?}");
    assert!(result.completed_at.is_some() && result.result.is_none(), "{result:?}");
    for force in [false, true] {
        let again = cancel(client, id, force).await;
        assert_eq!((again.success, again.final_status()), (false, ExecutionStatus::Cancelled), "{again:?}");
    }
}

#[tokio::test]
async fn a_pending_execution_is_cancelled_at_once() {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    submit(&client, with_id("runs", sleeper("sleep"))).await;
    until_status(&client, "runs", ExecutionStatus::Running).await.unwrap();
    for (id, force) in [("waits", false), ("waits-too", true)] {
        submit(&client, with_id(id, sleeper("sleep"))).await;
        let answer = cancel(&client, id, force).await;
        assert_eq!((answer.success, answer.final_status()), (true, ExecutionStatus::Cancelled), "{answer:?}");
        check_cancelled(&client, id).await;
        let result = status(&client, id).await.unwrap().unwrap();
        assert_eq!((result.started_at, result.metrics.len()), (None, 0), "the execution never ran");
    }
    // The execution that runs is not affected.
    assert_eq!(status(&client, "runs").await.unwrap().unwrap().status(), ExecutionStatus::Running);
}

#[tokio::test]
async fn a_running_execution_is_cancelled_only_with_force() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for guest in ["hostile_sleep.wasm", "hostile_spin.wasm", "hostile_spin.component.wasm"] {
        let artifact = guest_artifact(guest).unwrap();
        submit(&client, with_id(guest, new_task(guest, &artifact, "run", vec![]))).await;
        until_status(&client, guest, ExecutionStatus::Running).await.unwrap();
        let answer = cancel(&client, guest, false).await;
        assert_eq!((answer.success, answer.final_status()), (false, ExecutionStatus::Running), "{answer:?}");
        assert!(answer.message.contains("force"), "{answer:?}");
        assert_eq!(status(&client, guest).await.unwrap().unwrap().status(), ExecutionStatus::Running);

        let answer = cancel(&client, guest, true).await;
        assert_eq!((answer.success, answer.final_status()), (true, ExecutionStatus::Cancelled), "{answer:?}");
        // The answer comes when the execution has ended.
        check_cancelled(&client, guest).await;
    }
}

#[tokio::test]
async fn a_synchronous_call_can_be_cancelled() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let mut caller = client.clone();
    let call = caller.invoke_function(with_id("mine", sleeper("sleep")));
    let others = async {
        until_status(&client, "mine", ExecutionStatus::Running).await.unwrap();
        let answer = cancel(&client, "mine", false).await;
        assert_eq!((answer.success, answer.final_status()), (false, ExecutionStatus::Running), "{answer:?}");
        let answer = cancel(&client, "mine", true).await;
        assert_eq!((answer.success, answer.final_status()), (true, ExecutionStatus::Cancelled), "{answer:?}");
    };
    let (answer, ()) = tokio::join!(call, others);
    let answer = answer.unwrap().into_inner();
    assert!(!answer.success, "{answer:?}");
    assert_eq!(answer.result.unwrap().error_code, "CANCELLED");
    check_cancelled(&client, "mine").await;
}

#[tokio::test]
async fn a_finished_execution_is_not_changed() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let trap = guest_artifact("hostile_trap.wasm").unwrap();
    for (id, request, expected) in [
        ("done", new_task("adder", &adder, "add", numbers(&[1.0, 2.0])), ExecutionStatus::Completed),
        ("trap", new_task("trap", &trap, "run", vec![]), ExecutionStatus::Failed),
    ] {
        submit(&client, with_id(id, request)).await;
        let result = ended(&client, id).await.unwrap();
        for force in [false, true] {
            let answer = cancel(&client, id, force).await;
            assert_eq!((answer.success, answer.final_status()), (false, expected), "{answer:?}");
        }
        assert_eq!(status(&client, id).await.unwrap(), Some(result), "its status has not changed");
    }
}

/// Executions are cancelled when they are pending, running or about to end. Each ends
/// in the state that the answer gave.
#[tokio::test]
async fn an_execution_may_be_cancelled_at_any_moment() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let cancels = (0..200).map(async |i| {
        let request = new_task("adder", &adder, "add", numbers(&[1.0, 2.0]));
        let id = submit(&client, request).await.execution_id;
        let answer = cancel(&client, &id, i % 2 == 0).await;
        let result = ended(&client, &id).await.unwrap();
        let expected = match answer.final_status() {
            // Without force it is not stopped, so it completes.
            ExecutionStatus::Running => ExecutionStatus::Completed,
            ended => ended,
        };
        assert_eq!(result.status(), expected, "{answer:?}");
        assert_eq!(answer.success, expected == ExecutionStatus::Cancelled, "{answer:?}");
    });
    futures::future::join_all(cancels).await;
}
