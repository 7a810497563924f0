//! Executions that are accepted now and run later: the answer, the estimate,
//! following, cancelling, retries, listings.

mod cancelling;
mod following;
mod listing;
mod retries;

use pilum_proto::spearlet::{InvokeFunctionRequest, InvokeFunctionResponse};
use pilum_tests::wire::{RawClient, asynchronous};

/// Submits a call; returns the answer.
async fn submit(client: &RawClient, request: InvokeFunctionRequest) -> InvokeFunctionResponse {
    client.clone().invoke_function(asynchronous(request)).await.unwrap().into_inner()
}
