//! Many tasks and many records, made over the wire.

use crate::load::Loop;
use crate::wire::{Function, invoke, wait_for};
use anyhow::Result;
use pilum_proto::spearlet::{ExecutionMode, ExecutionStatus, InvokeFunctionRequest};
use std::ops::Range;

/// Calls in flight while something is made in large numbers.
pub(crate) const IN_FLIGHT: usize = 32;

/// Registers a task of the same artifact for each number; returns the requests
/// that call them.
pub(crate) async fn register(
    load: &Loop,
    function: &Function,
    numbers: Range<usize>,
) -> Result<Vec<InvokeFunctionRequest>> {
    load.each(numbers, async |client, number| function.registered(client, &format!("task-{number}")).await)
        .await
}

/// Submits so many asynchronous calls; returns their ids once all are COMPLETED.
pub(crate) async fn finished_records(load: &Loop, function: &Function, count: usize) -> Result<Vec<String>> {
    let request = function.new_task("records", ExecutionMode::Async);
    let ids = load.each(0..count, async |client, _| Ok(invoke(client, &request).await?.execution_id)).await?;
    load.each(0..count, async |client, number| match ids.get(number) {
        Some(id) => wait_for(client, id, ExecutionStatus::Completed).await,
        None => Ok(()),
    })
    .await?;
    Ok(ids)
}
