//! Timeouts and retries that are negative or above the host's bounds.

use super::check;
use pilum_proto::spearlet::{ExecutionContext, ExecutionStatus, InvokeFunctionRequest};
use pilum_tests::Host;
use pilum_tests::wire::{asynchronous, ended, guest_artifact, new_task, numbers};
use tonic::Code;

fn adder(timeout_ms: i64, max_retries: i32) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let context = ExecutionContext { timeout_ms, max_retries, ..ExecutionContext::default() };
    InvokeFunctionRequest { context: Some(context), ..new_task("t", &artifact, "add", numbers(&[2.0, 40.0])) }
}

#[tokio::test]
async fn a_timeout_out_of_bounds_is_refused() {
    const FIELD: &str = "context.timeout_ms";
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (timeout_ms, says) in [(-1, "is -1, it may not be negative"), (i64::MIN, "may not be negative")] {
        check(&client, adder(timeout_ms, 0), Code::InvalidArgument, FIELD, &[says]).await;
        check(&client, asynchronous(adder(timeout_ms, 0)), Code::InvalidArgument, FIELD, &[says]).await;
    }
    for timeout_ms in [300_001, i64::MAX] {
        let says = &["must be at most 300000 ms"];
        check(&client, adder(timeout_ms, 0), Code::InvalidArgument, FIELD, says).await;
    }
    for timeout_ms in [86_400_001, i64::MAX] {
        let says = &["must be at most 86400000 ms"];
        check(&client, asynchronous(adder(timeout_ms, 0)), Code::InvalidArgument, FIELD, says).await;
    }
    // The bounds themselves and the default are accepted.
    for request in [adder(300_000, 0), adder(0, 0), asynchronous(adder(86_400_000, 0))] {
        assert!(client.clone().invoke_function(request).await.unwrap().into_inner().success);
    }
}

#[tokio::test]
async fn retries_out_of_bounds_are_refused() {
    const FIELD: &str = "context.max_retries";
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (max_retries, says) in [
        (-1, "is -1, it may not be negative"),
        (i32::MIN, "may not be negative"),
        (4, "must be at most 3"),
        (i32::MAX, "must be at most 3"),
    ] {
        check(&client, adder(0, max_retries), Code::InvalidArgument, FIELD, &[says]).await;
        check(&client, asynchronous(adder(0, max_retries)), Code::InvalidArgument, FIELD, &[says]).await;
    }
    for request in [adder(0, 3), asynchronous(adder(0, 3))] {
        assert!(client.clone().invoke_function(request).await.unwrap().into_inner().success);
    }
}

#[tokio::test]
async fn a_timeout_of_zero_is_the_default() {
    let config = "[sync_execution]\ndefault_timeout_ms = 250\n[async_execution]\ndefault_timeout_ms = 350";
    let host = Host::builder().config(config).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let spin = new_task("spin", &guest_artifact("hostile_spin.wasm").unwrap(), "run", vec![]);

    let sync = client.clone().invoke_function(spin.clone()).await.unwrap().into_inner();
    let result = sync.result.unwrap();
    assert!(!sync.success && result.status() == ExecutionStatus::Timeout, "{result:?}");
    assert!(result.error_message.contains("250 ms"), "{result:?}");

    let accepted = client.clone().invoke_function(asynchronous(spin)).await.unwrap().into_inner();
    let result = ended(&client, &accepted.execution_id).await.unwrap();
    assert_eq!(result.error_code, "DEADLINE_EXCEEDED");
    assert!(result.error_message.contains("350 ms"), "{result:?}");
}
