//! Requests as a generated client in any language makes them, and functions that read
//! what the host has.

use crate::{digest_of, guest, guest_path, until};
use anyhow::{Context, Result, bail};
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use pilum_proto::spearlet::{
    ArtifactSpec, ExecutionInfo, ExecutionMode, ExecutionResult, ExecutionStatus, FunctionParameter,
    GetExecutionStatusRequest, InvocationType, InvokeFunctionRequest, ListExecutionsRequest,
    ListTasksRequest, TaskInfo,
};
use pilum_types::Output;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, Value};
use tonic::transport::Channel;

/// A client generated from the contract alone. Clones share its connection.
pub type RawClient = FunctionServiceClient<Channel>;

/// The tasks and executions of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// The name, the id and the number of executions of each task.
    pub tasks: Vec<(String, String, i32)>,
    /// The id of each execution.
    pub executions: Vec<String>,
}

/// A message of `google.protobuf` as an `Any`.
pub fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/google.protobuf.{name}"), value: message.encode_to_vec() }
}

/// A number as a `google.protobuf.Value`.
pub fn number(number: f64) -> Any {
    any("Value", &Value { kind: Some(Kind::NumberValue(number)) })
}

/// A text as a `google.protobuf.Value`.
pub fn text(text: &str) -> Any {
    any("Value", &Value { kind: Some(Kind::StringValue(text.to_owned())) })
}

/// A parameter with a name; with an empty name it is positional.
pub fn named(name: &str, value: Any) -> FunctionParameter {
    FunctionParameter { name: name.to_owned(), value: Some(value), ..FunctionParameter::default() }
}

/// Numbers as positional parameters.
pub fn numbers(numbers: &[f64]) -> Vec<FunctionParameter> {
    numbers.iter().map(|n| named("", number(*n))).collect()
}

/// An artifact with this location and digest, as [`crate::Host::put`] returns them.
pub fn artifact((location, checksum): (String, String)) -> ArtifactSpec {
    ArtifactSpec { location, checksum, ..ArtifactSpec::default() }
}

/// A built guest as an artifact. Its folder is a root of every host.
///
/// # Errors
/// If it is not built.
pub fn guest_artifact(name: &str) -> Result<ArtifactSpec> {
    let location = format!("file://{}", guest_path(name)?.display());
    Ok(artifact((location, digest_of(&guest(name)?))))
}

/// A synchronous call that registers its task.
pub fn new_task(
    task: &str,
    artifact: &ArtifactSpec,
    function: &str,
    parameters: Vec<FunctionParameter>,
) -> InvokeFunctionRequest {
    InvokeFunctionRequest {
        invocation_type: InvocationType::NewTask.into(),
        task_name: task.to_owned(),
        artifact_spec: Some(artifact.clone()),
        function_name: function.to_owned(),
        parameters,
        execution_mode: ExecutionMode::Sync.into(),
        ..InvokeFunctionRequest::default()
    }
}

/// A synchronous call of a registered task.
pub fn existing_task(id: &str, function: &str, parameters: Vec<FunctionParameter>) -> InvokeFunctionRequest {
    InvokeFunctionRequest {
        invocation_type: InvocationType::ExistingTask.into(),
        task_id: id.to_owned(),
        function_name: function.to_owned(),
        parameters,
        execution_mode: ExecutionMode::Sync.into(),
        ..InvokeFunctionRequest::default()
    }
}

/// The same call, asynchronous.
pub fn asynchronous(request: InvokeFunctionRequest) -> InvokeFunctionRequest {
    InvokeFunctionRequest { execution_mode: ExecutionMode::Async.into(), ..request }
}

/// The same call with an execution id from the caller.
pub fn with_id(id: &str, request: InvokeFunctionRequest) -> InvokeFunctionRequest {
    InvokeFunctionRequest { execution_id: Some(id.to_owned()), ..request }
}

/// The output of a function.
///
/// # Errors
/// If there is no output, or it cannot be decoded.
pub fn returned(result: &ExecutionResult) -> Result<Output> {
    let any = result.result.as_ref().with_context(|| format!("no result: {}", result.error_message))?;
    Ok(pilum_proto::value::output_from_any(any)?)
}

/// All tasks, read page by page, with or without their details.
///
/// # Errors
/// If the host does not answer.
pub async fn tasks(client: &RawClient, include_details: bool) -> Result<Vec<TaskInfo>> {
    let mut client = client.clone();
    let (mut found, mut start_after) = (Vec::new(), String::new());
    loop {
        let request =
            ListTasksRequest { start_after, limit: 1_000, include_details, ..ListTasksRequest::default() };
        let page = client.list_tasks(request).await?.into_inner();
        found.extend(page.tasks);
        if !page.has_more {
            return Ok(found);
        }
        start_after = page.next_start_after;
    }
}

/// All executions that match `request`, read page by page.
///
/// # Errors
/// If the host does not answer, or a page is longer than requested.
pub async fn executions(
    client: &RawClient,
    mut request: ListExecutionsRequest,
) -> Result<Vec<ExecutionInfo>> {
    let mut client = client.clone();
    let mut found = Vec::new();
    loop {
        let page = client.list_executions(request.clone()).await?.into_inner();
        if request.limit > 0 && page.executions.len() > usize::try_from(request.limit)? {
            bail!(
                "a page has {} executions, at most {} were requested",
                page.executions.len(),
                request.limit
            );
        }
        found.extend(page.executions);
        if !page.has_more {
            return Ok(found);
        }
        request.start_after = page.next_start_after;
    }
}

/// Reads all tasks and executions of a host.
///
/// # Errors
/// If the host does not answer.
pub async fn census(client: &RawClient) -> Result<Census> {
    let tasks = tasks(client, false).await?;
    let executions = executions(client, ListExecutionsRequest::default()).await?;
    Ok(Census {
        tasks: tasks.into_iter().map(|t| (t.task_name, t.task_id, t.execution_count)).collect(),
        executions: executions.into_iter().map(|e| e.execution_id).collect(),
    })
}

/// The status of an execution, with its output; `None` if there is no such execution.
///
/// # Errors
/// If the host does not answer.
pub async fn status(client: &RawClient, id: &str) -> Result<Option<ExecutionResult>> {
    let request =
        GetExecutionStatusRequest { execution_id: id.to_owned(), include_result: true, include_logs: false };
    let answer = client.clone().get_execution_status(request).await?.into_inner();
    Ok(answer.result.filter(|_| answer.found))
}

/// Waits until an execution is in the `wanted` state.
///
/// # Errors
/// If it is not in this state in time.
pub async fn until_status(client: &RawClient, id: &str, wanted: ExecutionStatus) -> Result<ExecutionResult> {
    until(&format!("{id} to be {}", wanted.as_str_name()), async || {
        Ok(status(client, id).await?.filter(|result| result.status() == wanted))
    })
    .await
}

/// Waits until an execution has ended.
///
/// # Errors
/// If it does not end in time.
pub async fn ended(client: &RawClient, id: &str) -> Result<ExecutionResult> {
    until(&format!("the end of {id}"), async || {
        let open = [ExecutionStatus::Pending, ExecutionStatus::Running];
        Ok(status(client, id).await?.filter(|result| !open.contains(&result.status())))
    })
    .await
}
