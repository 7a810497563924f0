//! Makes many tasks and many records over the wire.

use crate::client::load::Loop;
use crate::client::wire::{Function, invoke, wait_for};
use crate::guests;
use anyhow::Result;
use pilum_client::{Client, Deployment};
use pilum_proto::spearlet::{ExecutionMode, ExecutionStatus, InvokeFunctionRequest};
use pilum_types::{Policy, TaskId, TaskName};
use std::ops::Range;

/// Calls in flight while tasks or records are made.
pub(crate) const IN_FLIGHT: usize = 32;

/// Registers a task of the same artifact for each number; returns a request for each
/// task.
pub(crate) async fn register(
    load: &Loop,
    function: &Function,
    numbers: Range<usize>,
) -> Result<Vec<InvokeFunctionRequest>> {
    load.each(numbers, async |client, number| function.registered(client, &format!("task-{number}")).await)
        .await
}

/// Submits `count` asynchronous calls; returns their ids when all are COMPLETED.
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

/// Uploads a guest and deploys it as a new task.
pub(crate) async fn deploy(client: &Client, name: &str, guest: &str, policy: Policy) -> Result<TaskId> {
    let deployment = Deployment {
        name: TaskName::parse(name)?,
        description: String::new(),
        source: client.upload(guests::bytes(guest)?.into(), |_| {}).await?,
        version: String::new(),
        policy,
    };
    Ok(client.deploy(deployment).await?.task_id)
}
