//! The blobs of a row. They have types of their own, so that the domain's types can change
//! without the file format: each new form is a new variant, and old forms stay readable.

mod task;

pub(crate) use task::{read_task, write_task};

use pilum_store::{Attempt, Schedule, StoreError, Submission};
use pilum_types::{
    ExecutionId, Failure, FailureCode, FunctionName, InstanceId, LogLine, LogStream, Outcome, Output,
    Parameter, Priority, TaskId, TenantId, Usage, Value,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug, Serialize, Deserialize)]
enum StoredSubmission {
    V1 {
        parameters: Vec<(String, String, StoredValue)>,
        environment: Vec<(String, String)>,
        timeout: Duration,
        max_retries: u32,
        force_new_instance: bool,
        priority: u8,
        not_before: Option<i64>,
        deadline: Option<i64>,
        callback: Option<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredValue {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Number(f64),
    String(String),
    Bytes(Vec<u8>),
    List(Vec<StoredValue>),
    Object(Vec<(String, StoredValue)>),
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredAttempts {
    V1(Vec<StoredAttempt>),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAttempt {
    number: u32,
    started_at: i64,
    took: Option<Duration>,
    failure: Option<StoredFailure>,
    instance: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredFailure {
    code: String,
    message: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredOutcome {
    V1 {
        result: Result<StoredOutput, StoredFailure>,
        usage: StoredUsage,
        log: Vec<(u8, String)>,
        instance: Option<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredOutput {
    Typed(StoredValue),
    Raw(Vec<u8>),
    Response { status: u16, body: Vec<u8> },
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredUsage {
    queue_wait: Duration,
    acquire: Duration,
    guest: Duration,
    fuel_consumed: Option<u64>,
    peak_memory_bytes: u64,
    attempt: u32,
    instance_calls: u64,
}

/// A time as the tables have it: nanoseconds since 1970. Times outside of the years 1970 to
/// 2262 become the nearest time inside.
pub(crate) fn nanos(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A time from the tables.
pub(crate) fn time(nanos: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos.try_into().unwrap_or(0))
}

/// A submission without the parts that have columns of their own.
pub(crate) fn write_submission(submission: &Submission) -> Result<Vec<u8>, StoreError> {
    let parameter = |p: &Parameter| (p.name.clone(), p.type_name.clone(), StoredValue::from(&p.value));
    write(&StoredSubmission::V1 {
        parameters: submission.parameters.iter().map(parameter).collect(),
        environment: submission.environment.to_vec(),
        timeout: submission.timeout,
        max_retries: submission.max_retries,
        force_new_instance: submission.force_new_instance,
        priority: priority_number(submission.schedule.priority),
        not_before: submission.schedule.not_before.map(nanos),
        deadline: submission.schedule.deadline.map(nanos),
        callback: submission.callback.as_ref().map(ToString::to_string),
    })
}

/// A submission from its blob and its columns.
pub(crate) fn read_submission(
    blob: &[u8],
    (tenant, id, task_id, function): (TenantId, ExecutionId, TaskId, FunctionName),
) -> Result<Submission, StoreError> {
    let StoredSubmission::V1 {
        parameters,
        environment,
        timeout,
        max_retries,
        force_new_instance,
        priority,
        not_before,
        deadline,
        callback,
    } = read(blob)?;
    let parameter = |(name, type_name, value): (String, String, StoredValue)| Parameter {
        name,
        type_name,
        value: value.into(),
    };
    Ok(Submission {
        id,
        tenant,
        task_id,
        function,
        parameters: parameters.into_iter().map(parameter).collect(),
        environment: environment.into(),
        timeout,
        max_retries,
        force_new_instance,
        schedule: Schedule {
            priority: priority_of(priority),
            not_before: not_before.map(time),
            deadline: deadline.map(time),
        },
        callback: callback.map(Arc::from),
    })
}

/// The attempts of an execution.
pub(crate) fn write_attempts(attempts: &[Attempt]) -> Result<Vec<u8>, StoreError> {
    let attempt = |a: &Attempt| StoredAttempt {
        number: a.number,
        started_at: nanos(a.started_at),
        took: a.took,
        failure: a.failure.as_ref().map(StoredFailure::from),
        instance: a.instance.as_ref().map(ToString::to_string),
    };
    write(&StoredAttempts::V1(attempts.iter().map(attempt).collect()))
}

/// The attempts of a blob.
pub(crate) fn read_attempts(blob: &[u8]) -> Result<Vec<Attempt>, StoreError> {
    let StoredAttempts::V1(attempts) = read(blob)?;
    let attempt = |a: StoredAttempt| {
        Ok(Attempt {
            number: a.number,
            started_at: time(a.started_at),
            took: a.took,
            failure: a.failure.map(StoredFailure::into_domain).transpose()?,
            instance: a.instance.as_deref().map(instance).transpose()?,
        })
    };
    attempts.into_iter().map(attempt).collect()
}

/// How an execution ended.
pub(crate) fn write_outcome(outcome: &Outcome) -> Result<Vec<u8>, StoreError> {
    let Usage { queue_wait, acquire, guest, fuel_consumed, peak_memory_bytes, attempt, instance_calls } =
        outcome.usage;
    let result = match &outcome.result {
        Ok(Output::Typed(value)) => Ok(StoredOutput::Typed(value.into())),
        Ok(Output::Raw(bytes)) => Ok(StoredOutput::Raw(bytes.clone())),
        Ok(Output::Response { status, body }) => {
            Ok(StoredOutput::Response { status: *status, body: body.clone() })
        }
        Err(failure) => Err(failure.into()),
    };
    write(&StoredOutcome::V1 {
        result,
        usage: StoredUsage {
            queue_wait,
            acquire,
            guest,
            fuel_consumed,
            peak_memory_bytes,
            attempt,
            instance_calls,
        },
        log: outcome.log.iter().map(|line| (stream_number(line.stream), line.text.clone())).collect(),
        instance: outcome.instance.as_ref().map(ToString::to_string),
    })
}

/// The outcome of a blob.
pub(crate) fn read_outcome(blob: &[u8]) -> Result<Outcome, StoreError> {
    let StoredOutcome::V1 { result, usage, log, instance: id } = read(blob)?;
    let StoredUsage { queue_wait, acquire, guest, fuel_consumed, peak_memory_bytes, attempt, instance_calls } =
        usage;
    Ok(Outcome {
        result: match result {
            Ok(StoredOutput::Typed(value)) => Ok(Output::Typed(value.into())),
            Ok(StoredOutput::Raw(bytes)) => Ok(Output::Raw(bytes)),
            Ok(StoredOutput::Response { status, body }) => Ok(Output::Response { status, body }),
            Err(failure) => Err(failure.into_domain()?),
        },
        usage: Usage {
            queue_wait,
            acquire,
            guest,
            fuel_consumed,
            peak_memory_bytes,
            attempt,
            instance_calls,
        },
        log: log.into_iter().map(|(stream, text)| LogLine { stream: stream_of(stream), text }).collect(),
        instance: id.as_deref().map(instance).transpose()?,
    })
}

/// The code of a column.
pub(crate) fn code_of(text: &str) -> Result<FailureCode, StoreError> {
    let known = FailureCode::ALL.iter().find(|code| code.as_str() == text);
    known.copied().ok_or_else(|| unreadable(&format_args!("no failure has the code {text:?}")))
}

/// A priority's number in the tables.
pub(crate) fn priority_number(priority: Priority) -> u8 {
    match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Urgent => 3,
    }
}

/// The priority of a number.
pub(crate) fn priority_of(number: u8) -> Priority {
    Priority::ALL.get(usize::from(number)).copied().unwrap_or_default()
}

/// Something in the file that this program cannot have written.
pub(crate) fn unreadable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("a record cannot be read: {error}"))
}

fn write(stored: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_allocvec(stored).map_err(|error| StoreError::Failed(error.to_string()))
}

fn read<T: DeserializeOwned>(blob: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(blob).map_err(|error| unreadable(&error))
}

fn instance(text: &str) -> Result<InstanceId, StoreError> {
    InstanceId::parse(text).map_err(|error| unreadable(&error))
}

fn stream_number(stream: LogStream) -> u8 {
    match stream {
        LogStream::Stdout => 0,
        LogStream::Stderr => 1,
        LogStream::Host => 2,
    }
}

fn stream_of(number: u8) -> LogStream {
    match number {
        0 => LogStream::Stdout,
        1 => LogStream::Stderr,
        _ => LogStream::Host,
    }
}

impl From<&Failure> for StoredFailure {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code.as_str().to_owned(), message: failure.message.clone() }
    }
}

impl StoredFailure {
    fn into_domain(self) -> Result<Failure, StoreError> {
        Ok(Failure { code: code_of(&self.code)?, message: self.message })
    }
}

impl From<&Value> for StoredValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Signed(number) => Self::Signed(*number),
            Value::Unsigned(number) => Self::Unsigned(*number),
            Value::Number(number) => Self::Number(*number),
            Value::String(text) => Self::String(text.clone()),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::List(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

impl From<StoredValue> for Value {
    fn from(stored: StoredValue) -> Self {
        match stored {
            StoredValue::Null => Self::Null,
            StoredValue::Bool(truth) => Self::Bool(truth),
            StoredValue::Signed(number) => Self::Signed(number),
            StoredValue::Unsigned(number) => Self::Unsigned(number),
            StoredValue::Number(number) => Self::Number(number),
            StoredValue::String(text) => Self::String(text),
            StoredValue::Bytes(bytes) => Self::Bytes(bytes),
            StoredValue::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            StoredValue::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}
