//! A call of a function.

use super::artifact::{Artifact, artifact};
use super::bounds::{FREE_TEXT_MAX_BYTES, bounded, metadata};
use super::parameters::{environment, parameters};
use super::schedule::schedule;
use crate::error::ApiError;
use pilum_execution::{Invocation, Mode, RequestError, Target, TaskSpec};
use pilum_proto::spearlet::{ExecutionMode, InvocationType, InvokeFunctionRequest};
use pilum_types::{ExecutionId, FunctionName, TaskId, TaskName, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// The RPC of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rpc {
    /// InvokeFunction.
    Invoke,
    /// StreamFunction.
    Stream,
}

/// A call as its request gives it.
#[derive(Debug)]
pub(crate) struct ParsedInvocation {
    /// The call.
    pub(crate) invocation: Invocation,
    /// The error to answer instead of NOT_FOUND when the task is unknown. It is given
    /// with `create_if_not_exists`, and says what is missing to create the task.
    pub(crate) if_unknown: Option<ApiError>,
}

/// Reads a call.
pub(crate) fn invocation(
    tenant: TenantId,
    mut request: InvokeFunctionRequest,
    rpc: Rpc,
) -> Result<ParsedInvocation, ApiError> {
    let mode = mode(request.execution_mode, request.wait, rpc)?;
    let mut context = request.context.take().unwrap_or_default();
    let (schedule, callback) = schedule(&mut context, mode)?;
    let execution_id = execution_id(request.execution_id.take(), &context.execution_id)?;
    let timeout = timeout(context.timeout_ms)?;
    let max_retries = max_retries(context.max_retries)?;
    let function = FunctionName::parse(&request.function_name)
        .map_err(|error| ApiError::field("function_name", error.to_string()))?;
    let parameters = parameters(std::mem::take(&mut request.parameters))?;
    let environment = environment(context.environment)?;
    metadata("invocation_metadata", std::mem::take(&mut request.invocation_metadata))?;
    let force_new_instance = request.force_new_instance;
    let (target, if_unknown) = target(request)?;
    let invocation = Invocation {
        tenant,
        target,
        function,
        parameters,
        mode,
        execution_id,
        timeout,
        max_retries,
        environment,
        force_new_instance,
        schedule,
        callback,
    };
    Ok(ParsedInvocation { invocation, if_unknown })
}

fn mode(number: i32, wait: bool, rpc: Rpc) -> Result<Mode, ApiError> {
    let reject = |reason: &str| Err(ApiError::field("execution_mode", reason));
    match (ExecutionMode::try_from(number), rpc) {
        (Ok(ExecutionMode::Sync), Rpc::Invoke) => Ok(Mode::Sync),
        (Ok(ExecutionMode::Async), Rpc::Invoke) => Ok(Mode::Async),
        (Ok(ExecutionMode::Unknown), Rpc::Invoke) if wait => Ok(Mode::Sync),
        (Ok(ExecutionMode::Stream), Rpc::Invoke) => reject("STREAM is for the RPC StreamFunction"),
        (Ok(ExecutionMode::Unknown) | Err(_), Rpc::Invoke) => {
            reject("must be SYNC or ASYNC here, or STREAM with the RPC StreamFunction")
        }
        (Ok(ExecutionMode::Stream | ExecutionMode::Unknown), Rpc::Stream) => Ok(Mode::Stream),
        (Ok(ExecutionMode::Sync | ExecutionMode::Async), Rpc::Stream) => {
            reject("SYNC and ASYNC are for the RPC InvokeFunction")
        }
        (Err(_), Rpc::Stream) => reject("must be STREAM here, or SYNC or ASYNC with the RPC InvokeFunction"),
    }
}

/// The id of field 14 or of the context. An empty id means that none is given.
fn execution_id(own: Option<String>, in_context: &str) -> Result<Option<ExecutionId>, ApiError> {
    let own = own.unwrap_or_default();
    let (field, text) = match (own.as_str(), in_context) {
        ("", "") => return Ok(None),
        ("", text) => ("context.execution_id", text),
        (text, "") => ("execution_id", text),
        (one, other) if one != other => {
            return Err(ApiError::field(
                "execution_id",
                "differs from context.execution_id; give one of them",
            ));
        }
        (text, _) => ("execution_id", text),
    };
    ExecutionId::parse(text).map(Some).map_err(|error| ApiError::field(field, error.to_string()))
}

fn timeout(timeout_ms: i64) -> Result<Option<Duration>, ApiError> {
    match u64::try_from(timeout_ms) {
        Ok(0) => Ok(None),
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
        Err(_negative) => Err(ApiError::field(
            "context.timeout_ms",
            format!("is {timeout_ms}, it may not be negative; 0 takes the default"),
        )),
    }
}

fn max_retries(retries: i32) -> Result<Option<u32>, ApiError> {
    match u32::try_from(retries) {
        Ok(0) => Ok(None),
        Ok(retries) => Ok(Some(retries)),
        Err(_negative) => Err(ApiError::field(
            "context.max_retries",
            format!("is {retries}, it may not be negative; 0 takes the default"),
        )),
    }
}

/// The task of the call, and the error to answer when an existing task is meant that
/// does not exist and cannot be created.
fn target(request: InvokeFunctionRequest) -> Result<(Target, Option<ApiError>), ApiError> {
    match InvocationType::try_from(request.invocation_type) {
        Ok(InvocationType::NewTask) => Ok((Target::New(task_spec(request)?), None)),
        Ok(InvocationType::ExistingTask) => existing(request),
        Ok(InvocationType::Unknown) | Err(_) => {
            Err(ApiError::field("invocation_type", "must be NEW_TASK or EXISTING_TASK"))
        }
    }
}

fn existing(mut request: InvokeFunctionRequest) -> Result<(Target, Option<ApiError>), ApiError> {
    if request.task_id.is_empty() {
        return Err(ApiError::field("task_id", "must be given with EXISTING_TASK"));
    }
    // No task has a malformed id, so the id is treated like an unknown one.
    let text = std::mem::take(&mut request.task_id);
    let id = TaskId::parse(&text).ok();
    let (otherwise, if_unknown) = if !request.create_if_not_exists {
        (None, None)
    } else if request.artifact_spec.is_none() {
        let reason = "no task has that id; with create_if_not_exists, give the artifact to create it from";
        (None, Some(ApiError::field("artifact_spec", reason)))
    } else if request.task_name.is_empty() {
        let reason = "no task has that id; with create_if_not_exists, give the name of the new task";
        (None, Some(ApiError::field("task_name", reason)))
    } else {
        (Some(task_spec(request)?), None)
    };
    match (id, otherwise) {
        (Some(id), otherwise) => Ok((Target::Existing { id, otherwise }, if_unknown)),
        (None, Some(spec)) => Ok((Target::New(spec), None)),
        (None, None) => Err(if_unknown.unwrap_or(ApiError::Request(RequestError::TaskNotFound { id: text }))),
    }
}

fn task_spec(request: InvokeFunctionRequest) -> Result<TaskSpec, ApiError> {
    let name = TaskName::parse(&request.task_name)
        .map_err(|error| ApiError::field("task_name", error.to_string()))?;
    let description = bounded("task_description", request.task_description, FREE_TEXT_MAX_BYTES)?;
    let Some(spec) = request.artifact_spec else {
        return Err(ApiError::field("artifact_spec", "must be given to register a task"));
    };
    let Artifact { source, labels, metadata } = artifact(spec)?;
    Ok(TaskSpec { name, description, source, artifact: labels, metadata, policy: Arc::default() })
}
