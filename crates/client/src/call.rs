//! A call: the function, its parameters, and how the result is delivered.

use crate::error::ClientError;
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
    schedule: Schedule,
}

/// The task whose function is called.
#[derive(Debug, Clone)]
pub enum Target {
    /// The task with this name. The host registers it if no task has the name.
    New(NewTask),
    /// The task with this id.
    Existing(TaskId),
    /// The task with this id. If there is none, the host registers a new task.
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
    /// The caller's type of the artifact. The host only shows it and counts by it.
    pub artifact_type: String,
    /// The caller's version of the artifact. The host only shows it.
    pub version: String,
}

/// How the result is delivered. [`crate::Client::stream`] delivers it in chunks and does
/// not read this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the answer. The host stops the guest when the caller drops the call.
    #[default]
    Sync,
    /// Later, by the id of the execution.
    Async,
}

/// When an asynchronous call runs, and where its callback goes.
#[derive(Debug, Clone, Default)]
struct Schedule {
    priority: Option<Priority>,
    not_before: Option<SystemTime>,
    deadline: Option<SystemTime>,
    callback: Option<String>,
}

impl NewTask {
    /// A task without a description, a type or a version.
    pub fn new(name: TaskName, source: ArtifactSource) -> Self {
        let (description, artifact_type, version) = Default::default();
        Self { name, source, description, artifact_type, version }
    }
}

impl Call {
    /// A synchronous call without parameters, with the host's defaults.
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
            schedule: Schedule::default(),
        }
    }

    /// Sets the parameters. Either each has a name, or none has and the position counts.
    #[must_use]
    pub fn parameters(self, parameters: Vec<Parameter>) -> Self {
        Self { parameters, ..self }
    }

    /// Sets how the result is delivered.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Sets the timeout of each attempt. It is cut to whole milliseconds, at least 1 ms. The
    /// host rejects a timeout above its own bound.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sets how many attempts may follow a failed first attempt; 0 means the host's default.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// Sets the id of the execution. A second submission with the same id does not run the
    /// function again.
    #[must_use]
    pub fn execution_id(self, id: ExecutionId) -> Self {
        Self { execution_id: Some(id), ..self }
    }

    /// Sets the environment variables of the guest.
    #[must_use]
    pub fn environment(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { environment: variables.into_iter().collect(), ..self }
    }

    /// Uses an instance that has not served any call before.
    #[must_use]
    pub fn force_new_instance(self) -> Self {
        Self { force_new_instance: true, ..self }
    }

    /// Sets the priority in the queue. For [`Mode::Async`] only.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        let schedule = Schedule { priority: Some(priority), ..self.schedule };
        Self { schedule, ..self }
    }

    /// Sets the earliest start. For [`Mode::Async`] only.
    #[must_use]
    pub fn not_before(self, time: SystemTime) -> Self {
        let schedule = Schedule { not_before: Some(time), ..self.schedule };
        Self { schedule, ..self }
    }

    /// Sets the time after which the result has no use. For [`Mode::Async`] only.
    #[must_use]
    pub fn deadline(self, time: SystemTime) -> Self {
        let schedule = Schedule { deadline: Some(time), ..self.schedule };
        Self { schedule, ..self }
    }

    /// Sets the URL to which the host sends the terminal status. For [`Mode::Async`] only.
    #[must_use]
    pub fn callback(self, url: impl Into<String>) -> Self {
        let schedule = Schedule { callback: Some(url.into()), ..self.schedule };
        Self { schedule, ..self }
    }

    /// The request of InvokeFunction.
    pub(crate) fn into_request(self) -> Result<InvokeFunctionRequest, ClientError> {
        let mode = match self.mode {
            Mode::Sync => ExecutionMode::Sync,
            Mode::Async => ExecutionMode::Async,
        };
        self.into_request_with(mode)
    }

    /// The request of StreamFunction.
    pub(crate) fn into_stream_request(self) -> Result<InvokeFunctionRequest, ClientError> {
        self.into_request_with(ExecutionMode::Stream)
    }

    fn into_request_with(self, mode: ExecutionMode) -> Result<InvokeFunctionRequest, ClientError> {
        let millis = |timeout: Duration| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).max(1);
        let Schedule { priority, not_before, deadline, callback } = self.schedule;
        let context = ExecutionContext {
            environment: self.environment,
            timeout_ms: self.timeout.map(millis).unwrap_or_default(),
            max_retries: self.retries.unwrap_or_default().try_into().unwrap_or(i32::MAX),
            priority: priority.map_or(WirePriority::Unspecified, wire_priority).into(),
            not_before: not_before.map(Timestamp::from),
            deadline: deadline.map(Timestamp::from),
            callback_url: callback.unwrap_or_default(),
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
    fn every_target() {
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
    fn every_option() {
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
