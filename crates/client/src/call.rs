//! What to call.

use crate::ClientError;
use pilum_proto::pilum::v1::Priority as WirePriority;
use pilum_proto::spearlet::{
    ArtifactSpec, ExecutionContext, ExecutionMode, FunctionParameter, InvocationType, InvokeFunctionRequest,
};
use pilum_proto::value::parameter_to_any;
use pilum_types::{ArtifactSource, ExecutionId, FunctionName, Parameter, Priority, TaskId, TaskName};
use prost_types::Timestamp;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A call of a function.
#[derive(Debug, Clone)]
pub struct Call {
    target: Target,
    function: FunctionName,
    parameters: Vec<Parameter>,
    mode: Mode,
    timeout: Option<Duration>,
    retries: Option<u32>,
    execution_id: Option<ExecutionId>,
    environment: BTreeMap<String, String>,
    force_new_instance: bool,
    priority: Option<Priority>,
    not_before: Option<SystemTime>,
    deadline: Option<SystemTime>,
    callback: Option<String>,
}

/// Whose function is called.
#[derive(Debug, Clone)]
pub enum Target {
    /// The task of that name, registered if the name is free.
    New(NewTask),
    /// The task with that id.
    Existing(TaskId),
    /// The task with that id, or, if there is none, a new one.
    ExistingOrNew(TaskId, NewTask),
}

/// A task to register.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its name.
    pub name: TaskName,
    /// Where its code is.
    pub source: ArtifactSource,
    /// For people.
    pub description: String,
    /// What kind of artifact it is for the caller.
    pub artifact_type: String,
    /// The artifact's version for the caller.
    pub version: String,
}

/// How the result is wanted. [`crate::Client::stream`] wants it in pieces,
/// whatever the call says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the answer. The guest stops when the call is dropped.
    #[default]
    Sync,
    /// By id, later.
    Async,
}

impl NewTask {
    /// A task of which no more is said.
    pub fn new(name: TaskName, source: ArtifactSource) -> Self {
        let (description, artifact_type, version) = Default::default();
        Self { name, source, description, artifact_type, version }
    }
}

impl Call {
    /// A synchronous call without parameters, under the host's defaults.
    pub fn new(target: Target, function: FunctionName) -> Self {
        Self {
            target,
            function,
            parameters: Vec::new(),
            mode: Mode::Sync,
            timeout: None,
            retries: None,
            execution_id: None,
            environment: BTreeMap::new(),
            force_new_instance: false,
            priority: None,
            not_before: None,
            deadline: None,
            callback: None,
        }
    }

    /// With these parameters.
    #[must_use]
    pub fn parameters(self, parameters: Vec<Parameter>) -> Self {
        Self { parameters, ..self }
    }

    /// With the result wanted so.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// With this timeout, in whole milliseconds, at least one.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// With so many attempts after a failed first one; 0 takes the host's default.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// Under this id, which makes the submission idempotent.
    #[must_use]
    pub fn execution_id(self, id: ExecutionId) -> Self {
        Self { execution_id: Some(id), ..self }
    }

    /// With these environment variables for the guest.
    #[must_use]
    pub fn environment(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { environment: variables.into_iter().collect(), ..self }
    }

    /// Never on an instance that served an earlier call.
    #[must_use]
    pub fn force_new_instance(self) -> Self {
        Self { force_new_instance: true, ..self }
    }

    /// Before which others it runs. For [`Mode::Async`], as the next three.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// Not before this time.
    #[must_use]
    pub fn not_before(self, time: SystemTime) -> Self {
        Self { not_before: Some(time), ..self }
    }

    /// Of no use after this time.
    #[must_use]
    pub fn deadline(self, time: SystemTime) -> Self {
        Self { deadline: Some(time), ..self }
    }

    /// With its terminal status sent to this URL.
    #[must_use]
    pub fn callback(self, url: impl Into<String>) -> Self {
        Self { callback: Some(url.into()), ..self }
    }

    /// The call as InvokeFunction takes it.
    pub(crate) fn into_request(self) -> Result<InvokeFunctionRequest, ClientError> {
        let mode = match self.mode {
            Mode::Sync => ExecutionMode::Sync,
            Mode::Async => ExecutionMode::Async,
        };
        self.into_request_in(mode)
    }

    /// The call as StreamFunction takes it.
    pub(crate) fn into_stream_request(self) -> Result<InvokeFunctionRequest, ClientError> {
        self.into_request_in(ExecutionMode::Stream)
    }

    fn into_request_in(self, mode: ExecutionMode) -> Result<InvokeFunctionRequest, ClientError> {
        let millis = |timeout: Duration| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).max(1);
        let context = ExecutionContext {
            environment: self.environment,
            timeout_ms: self.timeout.map(millis).unwrap_or_default(),
            max_retries: self.retries.unwrap_or_default().try_into().unwrap_or(i32::MAX),
            priority: self.priority.map_or(WirePriority::Unspecified, wire_priority).into(),
            not_before: self.not_before.map(Timestamp::from),
            deadline: self.deadline.map(Timestamp::from),
            callback_url: self.callback.unwrap_or_default(),
            ..ExecutionContext::default()
        };
        let request = InvokeFunctionRequest {
            function_name: self.function.to_string(),
            parameters: self.parameters.into_iter().enumerate().map(parameter).collect::<Result<_, _>>()?,
            execution_mode: mode.into(),
            context: Some(context),
            force_new_instance: self.force_new_instance,
            execution_id: self.execution_id.map(|id| id.to_string()),
            ..InvokeFunctionRequest::default()
        };
        Ok(match self.target {
            Target::New(task) => InvokeFunctionRequest {
                invocation_type: InvocationType::NewTask.into(),
                ..with_task(request, task)
            },
            Target::Existing(id) => InvokeFunctionRequest {
                invocation_type: InvocationType::ExistingTask.into(),
                task_id: id.to_string(),
                ..request
            },
            Target::ExistingOrNew(id, task) => InvokeFunctionRequest {
                invocation_type: InvocationType::ExistingTask.into(),
                task_id: id.to_string(),
                create_if_not_exists: true,
                ..with_task(request, task)
            },
        })
    }
}

fn wire_priority(priority: Priority) -> WirePriority {
    match priority {
        Priority::Low => WirePriority::Low,
        Priority::Normal => WirePriority::Normal,
        Priority::High => WirePriority::High,
        Priority::Urgent => WirePriority::Urgent,
    }
}

fn with_task(request: InvokeFunctionRequest, task: NewTask) -> InvokeFunctionRequest {
    let artifact = ArtifactSpec {
        artifact_type: task.artifact_type,
        location: task.source.location,
        version: task.version,
        checksum: task.source.checksum.map(|digest| digest.to_string()).unwrap_or_default(),
        ..ArtifactSpec::default()
    };
    InvokeFunctionRequest {
        task_name: task.name.to_string(),
        task_description: task.description,
        artifact_spec: Some(artifact),
        ..request
    }
}

fn parameter((index, parameter): (usize, Parameter)) -> Result<FunctionParameter, ClientError> {
    let value = parameter_to_any(&parameter.value)
        .map_err(|error| ClientError::Parameter { index, reason: error.to_string() })?;
    Ok(FunctionParameter {
        name: parameter.name,
        r#type: parameter.type_name,
        value: Some(value),
        ..FunctionParameter::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilum_types::{Digest, Value};

    fn name(text: &str) -> FunctionName {
        FunctionName::parse(text).expect("a name")
    }

    fn task() -> NewTask {
        let source =
            ArtifactSource { location: "file:a".into(), checksum: Some(Digest::from_bytes([0xab; 32])) };
        NewTask::new(TaskName::parse("a").expect("a name"), source)
    }

    #[test]
    fn each_target() {
        let id = TaskId::parse("task-1").expect("an id");
        let check = |target, kind, task_id: &str, task_name: &str, create| {
            let request = Call::new(target, name("f")).into_request().expect("flat");
            assert_eq!((request.invocation_type, request.task_id.as_str()), (kind, task_id));
            assert_eq!((request.task_name.as_str(), request.create_if_not_exists), (task_name, create));
            assert_eq!(request.artifact_spec.is_some(), !task_name.is_empty());
        };
        check(Target::New(task()), 1, "", "a", false);
        check(Target::Existing(id.clone()), 2, "task-1", "", false);
        check(Target::ExistingOrNew(id, task()), 2, "task-1", "a", true);
    }

    #[test]
    fn everything_that_can_be_said() {
        let parameter = |value| Parameter { name: String::new(), type_name: String::new(), value };
        let call = Call::new(Target::New(task()), name("f"))
            .parameters(vec![parameter(Value::Signed(1))])
            .mode(Mode::Async)
            .timeout(Duration::from_micros(10))
            .retries(3)
            .execution_id(ExecutionId::parse("mine").expect("an id"))
            .environment([("A".to_owned(), "1".to_owned())])
            .force_new_instance()
            .priority(Priority::High)
            .not_before(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
            .callback("https://a.example");
        assert_eq!(call.clone().into_stream_request().expect("flat").execution_mode, 3);
        let request = call.into_request().expect("flat");
        let context = request.context.expect("a context");
        assert_eq!((request.execution_mode, context.timeout_ms, context.max_retries), (2, 1, 3));
        assert_eq!((request.execution_id.as_deref(), request.force_new_instance), (Some("mine"), true));
        assert_eq!((request.parameters.len(), context.environment.len()), (1, 1));
        assert_eq!((context.priority, context.callback_url.as_str()), (3, "https://a.example"));
        assert_eq!((context.not_before.map(|at| at.seconds), context.deadline), (Some(5), None));

        let deep = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let call = Call::new(Target::New(task()), name("f")).parameters(vec![parameter(deep)]);
        assert!(matches!(call.into_request(), Err(ClientError::Parameter { index: 0, .. })));
    }
}
