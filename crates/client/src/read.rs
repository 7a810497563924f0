//! Converts the host's messages to plain types.

use crate::answer::{
    Attempt, CancelResult, DeleteResult, ExecutionLine, Health, HostStats, InvokeResult, Report, Status, Task,
};
use crate::error::ClientError;
use pilum_proto::pilum::v1::Attempt as WireAttempt;
use pilum_proto::spearlet::{
    CancelExecutionResponse, DeleteTaskResponse, ExecutionInfo, ExecutionMode, ExecutionResult,
    ExecutionStatus, GetExecutionStatusResponse, GetHealthResponse, GetStatsResponse, InvokeFunctionResponse,
    TaskInfo,
};
use pilum_proto::value::output_from_any;
use pilum_types::{ExecutionId, InstanceId, InvalidId, State, TaskId};
use prost_types::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn invoke_result(message: InvokeFunctionResponse) -> Result<InvokeResult, ClientError> {
    let estimate_ms = message.estimated_completion_ms;
    Ok(InvokeResult {
        success: message.success,
        message: message.message,
        execution_id: execution_id(&message.execution_id)?,
        task_id: task_id(&message.task_id)?,
        instance_id: some(message.instance_id)
            .map(|id| InstanceId::parse(&id).map_err(|error| bad_id(&id, &error)))
            .transpose()?,
        status: status(message.result.ok_or_else(|| ClientError::Answer("no result".to_owned()))?)?,
        status_endpoint: some(message.status_endpoint),
        estimate: (estimate_ms > 0).then(|| millis(estimate_ms)),
    })
}

pub(crate) fn status(message: ExecutionResult) -> Result<Status, ClientError> {
    let output = message.result.as_ref().map(output_from_any).transpose();
    Ok(Status {
        state: known_state(message.status)?,
        output: output.map_err(|error| ClientError::Answer(format!("the result {error}")))?,
        error_code: some(message.error_code),
        error_message: message.error_message,
        duration: millis(message.execution_time_ms),
        memory_used_bytes: size(message.memory_used_bytes),
        metrics: message.metrics,
        started_at: message.started_at.and_then(time),
        completed_at: message.completed_at.and_then(time),
    })
}

pub(crate) fn report(message: GetExecutionStatusResponse) -> Result<Option<Report>, ClientError> {
    if !message.found {
        return Ok(None);
    }
    let result = message.result.ok_or_else(|| ClientError::Answer("no result".to_owned()))?;
    Ok(Some(Report {
        status: status(result)?,
        logs: message.logs,
        attempts: message.attempts.into_iter().map(attempt).collect(),
        queue_position: u64::try_from(message.queue_position).ok().filter(|position| *position > 0),
        is_dead_letter: message.is_dead_letter,
    }))
}

fn attempt(message: WireAttempt) -> Attempt {
    Attempt {
        number: count(message.number),
        started_at: message.started_at.and_then(time),
        took: millis(message.took_ms),
        error_code: some(message.error_code),
        error_message: message.error_message,
        instance_id: some(message.instance_id),
    }
}

pub(crate) fn cancel_result(message: CancelExecutionResponse) -> Result<CancelResult, ClientError> {
    let state = known_state(message.final_status)?;
    Ok(CancelResult { success: message.success, message: message.message, state })
}

pub(crate) fn task(message: TaskInfo) -> Result<Task, ClientError> {
    let artifact = message.artifact_spec.unwrap_or_default();
    Ok(Task {
        id: task_id(&message.task_id)?,
        name: message.task_name,
        location: artifact.location,
        checksum: artifact.checksum,
        artifact_type: artifact.artifact_type,
        version: artifact.version,
        created_at: UNIX_EPOCH + millis(message.created_at),
        updated_at: UNIX_EPOCH + millis(message.updated_at),
        execution_count: count(message.execution_count),
        last_state: state(message.last_status),
        metadata: message.metadata,
    })
}

pub(crate) fn delete_result(message: DeleteTaskResponse) -> DeleteResult {
    DeleteResult {
        deleted: message.deleted,
        message: message.message,
        cleaned_executions: count(message.cleaned_executions),
    }
}

pub(crate) fn execution_line(message: ExecutionInfo) -> Result<ExecutionLine, ClientError> {
    Ok(ExecutionLine {
        id: execution_id(&message.execution_id)?,
        task_id: task_id(&message.task_id)?,
        asynchronous: message.execution_mode() == ExecutionMode::Async,
        function: message.function_name,
        state: known_state(message.status)?,
        started_at: message.started_at.and_then(time),
        completed_at: message.completed_at.and_then(time),
        duration: millis(message.execution_time_ms),
        error_message: message.error_message,
        metadata: message.metadata,
    })
}

pub(crate) fn health(message: GetHealthResponse) -> Health {
    let details = message.details.unwrap_or_default();
    Health {
        status: message.status,
        message: message.message,
        uptime: seconds(message.uptime_seconds),
        tasks: count(details.active_tasks),
        running: count(details.running_executions),
        pending: count(details.pending_executions),
        memory_bytes: size(details.total_memory_used),
        system: details.system_info,
    }
}

pub(crate) fn stats(message: GetStatsResponse) -> HostStats {
    let service = message.service_stats.unwrap_or_default();
    let executions = message.execution_stats.unwrap_or_default();
    let by_function = executions.executions_by_function.into_iter();
    let average = Duration::try_from_secs_f64(executions.average_execution_time_ms / 1e3);
    HostStats {
        uptime: seconds(service.uptime_seconds),
        tasks: count(service.total_tasks),
        executions: count(service.total_executions),
        running: count(executions.running_executions),
        pending: count(executions.pending_executions),
        completed: count(executions.completed_executions),
        failed: count(executions.failed_executions),
        average_execution: average.unwrap_or_default(),
        success_rate_percent: executions.success_rate_percent,
        cpu_usage_percent: service.cpu_usage_percent,
        memory_bytes: size(service.total_memory_used),
        memory_usage_percent: service.memory_usage_percent,
        by_function: by_function.map(|(function, calls)| (function, count(calls))).collect(),
    }
}

/// The state with this number on the wire; `None` for UNKNOWN and for a number that only
/// a newer contract has.
pub(crate) fn state(number: i32) -> Option<State> {
    match ExecutionStatus::try_from(number).ok()? {
        ExecutionStatus::Unknown => None,
        ExecutionStatus::Pending => Some(State::Pending),
        ExecutionStatus::Running => Some(State::Running),
        ExecutionStatus::Completed => Some(State::Completed),
        ExecutionStatus::Failed => Some(State::Failed),
        ExecutionStatus::Cancelled => Some(State::Cancelled),
        ExecutionStatus::Timeout => Some(State::Timeout),
    }
}

/// The state with this number on the wire, which must be a known state.
pub(crate) fn known_state(number: i32) -> Result<State, ClientError> {
    state(number).ok_or_else(|| ClientError::Answer(format!("{number} is not a status")))
}

/// A state's number on the wire.
pub(crate) fn number(state: State) -> i32 {
    let status = match state {
        State::Pending => ExecutionStatus::Pending,
        State::Running => ExecutionStatus::Running,
        State::Completed => ExecutionStatus::Completed,
        State::Failed => ExecutionStatus::Failed,
        State::Cancelled => ExecutionStatus::Cancelled,
        State::Timeout => ExecutionStatus::Timeout,
    };
    status.into()
}

pub(crate) fn execution_id(text: &str) -> Result<ExecutionId, ClientError> {
    ExecutionId::parse(text).map_err(|error| bad_id(text, &error))
}

pub(crate) fn task_id(text: &str) -> Result<TaskId, ClientError> {
    TaskId::parse(text).map_err(|error| bad_id(text, &error))
}

fn bad_id(text: &str, error: &InvalidId) -> ClientError {
    ClientError::Answer(format!("{text:?}: {error}"))
}

/// An empty text on the wire means that there is none.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn time(timestamp: Timestamp) -> Option<SystemTime> {
    timestamp.try_into().ok()
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(ms.try_into().unwrap_or(0))
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or(0))
}

fn size(bytes: i64) -> u64 {
    bytes.try_into().unwrap_or(0)
}

fn count(number: i32) -> u32 {
    number.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilum_proto::value::output_to_any;
    use pilum_types::{Output, Value};

    #[test]
    fn a_finished_call() {
        let output = Output::Typed(Value::String("x".into()));
        let result = ExecutionResult {
            status: number(State::Completed),
            result: output_to_any(&output).ok(),
            execution_time_ms: 12,
            started_at: Some(Timestamp { seconds: 1, nanos: 0 }),
            ..ExecutionResult::default()
        };
        let message = InvokeFunctionResponse {
            success: true,
            execution_id: "exec-1".into(),
            task_id: "task-1".into(),
            result: Some(result),
            ..InvokeFunctionResponse::default()
        };
        let read = invoke_result(message.clone()).expect("a good answer");
        assert_eq!(read.status.output, Some(output));
        assert_eq!((read.status.state, read.status.duration), (State::Completed, Duration::from_millis(12)));
        assert_eq!(read.status.started_at, Some(UNIX_EPOCH + Duration::from_secs(1)));
        assert_eq!((read.instance_id, read.status_endpoint, read.estimate), (None, None, None));

        let malformed = InvokeFunctionResponse { execution_id: "a b".into(), ..message.clone() };
        assert!(matches!(invoke_result(malformed), Err(ClientError::Answer(_))));
        assert!(matches!(
            invoke_result(InvokeFunctionResponse { result: None, ..message }),
            Err(ClientError::Answer(_))
        ));
    }

    #[test]
    fn states_are_converted_in_both_directions() {
        for known in State::ALL {
            assert_eq!(state(number(known)), Some(known));
        }
        assert_eq!((state(0), state(99)), (None, None));
    }

    #[test]
    fn numbers_without_a_meaning_are_zero() {
        assert_eq!((millis(-1), size(-1), count(-1)), (Duration::ZERO, 0, 0));
        let execution_stats = pilum_proto::spearlet::ExecutionStats {
            average_execution_time_ms: f64::NAN,
            ..Default::default()
        };
        let message =
            GetStatsResponse { execution_stats: Some(execution_stats), ..GetStatsResponse::default() };
        assert_eq!(stats(message).average_execution, Duration::ZERO);
    }
}
