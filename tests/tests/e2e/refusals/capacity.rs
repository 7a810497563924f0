//! Refusals because the host is full or shuts down.

use super::{check, check_status};
use crate::common::{adder, cancel, sleeper};
use pilum_proto::spearlet::{ExecutionStatus, GetHealthRequest, InvokeFunctionRequest};
use pilum_tests::wire::{RawClient, asynchronous, census, ended, until_status, with_id};
use pilum_tests::{Host, get, until};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Checks for RESOURCE_EXHAUSTED with a time to retry after and the exhausted resource.
fn check_exhausted(status: &Status, subject: &str) {
    check_status(status, Code::ResourceExhausted, "", &[]);
    let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(retry >= Duration::from_secs(1) && retry < Duration::from_secs(86_400), "{retry:?}");
    let quota = status.get_details_quota_failure().unwrap();
    let subjects: Vec<_> = quota.violations.into_iter().map(|violation| violation.subject).collect();
    assert_eq!(subjects, [subject]);
}

async fn refusal(client: &RawClient, request: InvokeFunctionRequest) -> Status {
    let before = census(client).await.unwrap();
    let Err(status) = client.clone().invoke_function(request).await else {
        panic!("the call was not refused")
    };
    assert_eq!(census(client).await.unwrap(), before);
    status
}

#[tokio::test]
async fn a_full_queue_refuses_submissions() {
    let config = "[async_execution]\nmax_queue_size = 1\nmax_concurrent_executions = 1";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let submit = async |id: &str| {
        let request = asynchronous(with_id(id, sleeper("sleep")));
        client.clone().invoke_function(request).await
    };
    submit("runs").await.unwrap();
    until_status(&client, "runs", ExecutionStatus::Running).await.unwrap();
    submit("waits").await.unwrap();

    for request in [asynchronous(sleeper("sleep")), asynchronous(adder("another"))] {
        let status = refusal(&client, request).await;
        check_exhausted(&status, "queued executions");
        assert!(status.message().contains("the queue holds 1 executions"), "{status:?}");
    }
    // A repeated submission is found, and a synchronous call needs no place in the queue.
    assert_eq!(submit("waits").await.unwrap().into_inner().execution_id, "waits");
    assert!(client.clone().invoke_function(adder("sync")).await.unwrap().into_inner().success);
    let health = client.clone().get_health(GetHealthRequest::default()).await.unwrap().into_inner();
    assert_eq!((health.status.as_str(), health.message.contains("queue")), ("degraded", true), "{health:?}");

    cancel(&client, "runs").await;
    until_status(&client, "waits", ExecutionStatus::Running).await.unwrap();
    submit("fits-again").await.unwrap();
    cancel(&client, "fits-again").await;
    cancel(&client, "waits").await;
}

#[tokio::test]
async fn a_call_without_a_free_slot_is_refused() {
    let config = "[sync_execution]\nmax_concurrent_requests = 1\nslot_wait_ms = 50";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let mut caller = client.clone();
    let sleeps = caller.invoke_function(with_id("sleeps", sleeper("sleep")));
    let others = async {
        until_status(&client, "sleeps", ExecutionStatus::Running).await.unwrap();
        for request in [adder("another"), with_id("mine", adder("another"))] {
            let status = refusal(&client, request).await;
            check_exhausted(&status, "synchronous call slots");
            assert!(status.message().contains("all 1 slots"), "{status:?}");
        }
        // The queue still has room, and the id of a refused call is free.
        let later = client.clone().invoke_function(asynchronous(adder("later"))).await.unwrap();
        let later = ended(&client, &later.into_inner().execution_id).await.unwrap();
        assert_eq!(later.status(), ExecutionStatus::Completed);
        cancel(&client, "sleeps").await;
        let answer = client.clone().invoke_function(with_id("mine", adder("another"))).await.unwrap();
        assert!(answer.into_inner().success);
    };
    let (slept, ()) = tokio::join!(sleeps, others);
    let slept = slept.unwrap().into_inner();
    assert_eq!(slept.result.unwrap().error_code, "CANCELLED");
}

#[tokio::test]
async fn a_task_above_the_maximum_is_refused() {
    let host = Host::builder().config("[limits]\nmax_tasks = 2").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for task in ["a", "b", "a"] {
        assert!(client.clone().invoke_function(adder(task)).await.unwrap().into_inner().success);
    }
    let status = refusal(&client, adder("c")).await;
    check_exhausted(&status, "registered tasks");
    assert!(status.message().contains("delete one first"), "{status:?}");
}

/// After SIGTERM a running call may end, new calls are refused, and the status of
/// executions can still be read.
#[tokio::test]
async fn a_host_that_shuts_down_refuses_new_calls() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let http = host.http.clone();
    let mut caller = client.clone();
    let sleeps = caller.invoke_function(with_id("sleeps", sleeper("sleep")));
    let terminate = async {
        until_status(&client, "sleeps", ExecutionStatus::Running).await.unwrap();
        host.terminate(Duration::from_secs(60)).await.unwrap()
    };
    let others = async {
        until("the drain", async || Ok((get(&http, "/readyz").await?.0 == 503).then_some(()))).await.unwrap();
        let says = &["the host is shutting down"];
        for request in [adder("t"), asynchronous(adder("t")), asynchronous(sleeper("sleep"))] {
            check(&client, request, Code::Unavailable, "", says).await;
        }
        let health = client.clone().get_health(GetHealthRequest::default()).await.unwrap().into_inner();
        assert_eq!(health.status, "degraded", "{health:?}");
        assert_eq!(get(&http, "/healthz").await.unwrap().0, 200);
        assert_eq!(get(&http, "/status/sleeps").await.unwrap().0, 200);
        cancel(&client, "sleeps").await;
    };
    let (slept, ended_well, ()) = tokio::join!(sleeps, terminate, others);
    assert!(ended_well, "the host's exit code is 0");
    assert_eq!(slept.unwrap().into_inner().result.unwrap().error_code, "CANCELLED");
}
