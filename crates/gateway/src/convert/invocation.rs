//! A call.

use super::parameters::{environment, parameters};
use super::schedule::schedule;
use super::{FREE_TEXT_MAX_BYTES, LABEL_MAX_BYTES, bounded, metadata};
use crate::error::Rejection;
use pilum_execution::{ArtifactLabels, Invocation, Mode, RequestError, Target, TaskSpec};
use pilum_proto::spearlet::{ArtifactSpec, ExecutionMode, InvocationType, InvokeFunctionRequest};
use pilum_types::{ArtifactSource, ExecutionId, FunctionName, TaskId, TaskName, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// Longest location of an artifact, in bytes: the common bound of a URL.
const LOCATION_MAX_BYTES: usize = 2_048;

/// Through which RPC a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rpc {
    /// InvokeFunction.
    Invoke,
    /// StreamFunction.
    Stream,
}

/// A call that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The call.
    pub(crate) invocation: Invocation,
    /// What to answer instead of NOT_FOUND when the task is unknown: with
    /// `create_if_not_exists`, what was missing to create it.
    pub(crate) if_unknown: Option<Rejection>,
}

/// Reads a call.
pub(crate) fn invocation(
    tenant: TenantId,
    mut request: InvokeFunctionRequest,
    rpc: Rpc,
) -> Result<Asked, Rejection> {
    let mode = mode(request.execution_mode, request.wait, rpc)?;
    let mut context = request.context.take().unwrap_or_default();
    let (schedule, callback) = schedule(&mut context, mode)?;
    let execution_id = execution_id(request.execution_id.take(), &context.execution_id)?;
    let timeout = timeout(context.timeout_ms)?;
    let max_retries = max_retries(context.max_retries)?;
    let function = FunctionName::parse(&request.function_name)
        .map_err(|error| Rejection::field("function_name", error.to_string()))?;
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
    Ok(Asked { invocation, if_unknown })
}

fn mode(number: i32, wait: bool, rpc: Rpc) -> Result<Mode, Rejection> {
    let reject = |reason: &str| Err(Rejection::field("execution_mode", reason));
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

/// The id of field 14 or of the context; an empty one is none.
fn execution_id(own: Option<String>, in_context: &str) -> Result<Option<ExecutionId>, Rejection> {
    let own = own.unwrap_or_default();
    let (field, text) = match (own.as_str(), in_context) {
        ("", "") => return Ok(None),
        ("", text) => ("context.execution_id", text),
        (text, "") => ("execution_id", text),
        (one, other) if one != other => {
            return Err(Rejection::field(
                "execution_id",
                "differs from context.execution_id; give one of them",
            ));
        }
        (text, _) => ("execution_id", text),
    };
    ExecutionId::parse(text).map(Some).map_err(|error| Rejection::field(field, error.to_string()))
}

fn timeout(timeout_ms: i64) -> Result<Option<Duration>, Rejection> {
    match u64::try_from(timeout_ms) {
        Ok(0) => Ok(None),
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
        Err(_negative) => Err(Rejection::field(
            "context.timeout_ms",
            format!("is {timeout_ms}, it may not be negative; 0 takes the default"),
        )),
    }
}

fn max_retries(retries: i32) -> Result<Option<u32>, Rejection> {
    match u32::try_from(retries) {
        Ok(0) => Ok(None),
        Ok(retries) => Ok(Some(retries)),
        Err(_negative) => Err(Rejection::field(
            "context.max_retries",
            format!("is {retries}, it may not be negative; 0 takes the default"),
        )),
    }
}

/// Whose function, and what to answer when an existing task is meant that does
/// not exist and cannot be created.
fn target(request: InvokeFunctionRequest) -> Result<(Target, Option<Rejection>), Rejection> {
    match InvocationType::try_from(request.invocation_type) {
        Ok(InvocationType::NewTask) => Ok((Target::New(task_spec(request)?), None)),
        Ok(InvocationType::ExistingTask) => existing(request),
        Ok(InvocationType::Unknown) | Err(_) => {
            Err(Rejection::field("invocation_type", "must be NEW_TASK or EXISTING_TASK"))
        }
    }
}

fn existing(mut request: InvokeFunctionRequest) -> Result<(Target, Option<Rejection>), Rejection> {
    if request.task_id.is_empty() {
        return Err(Rejection::field("task_id", "must be given with EXISTING_TASK"));
    }
    // A malformed id is nobody's: it is treated as any unknown one.
    let text = std::mem::take(&mut request.task_id);
    let id = TaskId::parse(&text).ok();
    let (otherwise, if_unknown) = if !request.create_if_not_exists {
        (None, None)
    } else if request.artifact_spec.is_none() {
        let reason = "no task has that id; create_if_not_exists needs the artifact to create it from";
        (None, Some(Rejection::field("artifact_spec", reason)))
    } else if request.task_name.is_empty() {
        let reason = "no task has that id; create_if_not_exists needs a name to create it under";
        (None, Some(Rejection::field("task_name", reason)))
    } else {
        (Some(task_spec(request)?), None)
    };
    match (id, otherwise) {
        (Some(id), otherwise) => Ok((Target::Existing { id, otherwise }, if_unknown)),
        (None, Some(spec)) => Ok((Target::New(spec), None)),
        (None, None) => {
            Err(if_unknown.unwrap_or(Rejection::Refused(RequestError::TaskNotFound { id: text })))
        }
    }
}

fn task_spec(request: InvokeFunctionRequest) -> Result<TaskSpec, Rejection> {
    let name = TaskName::parse(&request.task_name)
        .map_err(|error| Rejection::field("task_name", error.to_string()))?;
    let description = bounded("task_description", request.task_description, FREE_TEXT_MAX_BYTES)?;
    let Some(artifact) = request.artifact_spec else {
        return Err(Rejection::field("artifact_spec", "must be given to register a task"));
    };
    let (source, artifact, metadata) = self::artifact(artifact)?;
    Ok(TaskSpec { name, description, source, artifact, metadata, policy: Arc::default() })
}

/// Where code is, what it is called, and what goes with it.
pub(super) type Artifact = (ArtifactSource, ArtifactLabels, Vec<(String, String)>);

/// Reads an artifact's spec.
pub(super) fn artifact(artifact: ArtifactSpec) -> Result<Artifact, Rejection> {
    let metadata = metadata("artifact_spec.metadata", artifact.metadata.clone())?;
    let source = source(&artifact)?;
    let label = |field: &str, text| bounded(field, text, LABEL_MAX_BYTES);
    let artifact = ArtifactLabels {
        id: label("artifact_spec.artifact_id", artifact.artifact_id)?,
        kind: label("artifact_spec.artifact_type", artifact.artifact_type)?,
        version: label("artifact_spec.version", artifact.version)?,
    };
    Ok((source, artifact, metadata))
}

fn source(artifact: &ArtifactSpec) -> Result<ArtifactSource, Rejection> {
    const LOCATION: &str = "artifact_spec.location";
    if artifact.location.is_empty() {
        return Err(Rejection::field(
            LOCATION,
            "must be given: a file:, http: or https: URL, or what UploadArtifact answered",
        ));
    }
    let location = bounded(LOCATION, artifact.location.clone(), LOCATION_MAX_BYTES)?;
    let checksum = match artifact.checksum.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(digest) => Some(digest),
            Err(error) => {
                let error: pilum_types::InvalidDigest = error;
                return Err(Rejection::field("artifact_spec.checksum", error.to_string()));
            }
        },
    };
    Ok(ArtifactSource { location, checksum })
}
