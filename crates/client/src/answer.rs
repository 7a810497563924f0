//! The answers of a host, as plain types.

use pilum_types::{ExecutionId, InstanceId, Output, State, TaskId};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct InvokeResult {
    /// Of an asynchronous call: whether it was accepted. Of a synchronous call: whether it
    /// completed.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The id of the execution.
    pub execution_id: ExecutionId,
    /// The id of the task.
    pub task_id: TaskId,
    /// The instance that served the call; `None` until one has.
    pub instance_id: Option<InstanceId>,
    /// The status of the execution.
    pub status: Status,
    /// Of an asynchronous call: the path of the execution's status on the HTTP listener.
    pub status_endpoint: Option<String>,
    /// Of an asynchronous call: the host's estimate of the time until it ends.
    pub estimate: Option<Duration>,
}

/// The status of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// What the function returned; `None` until then. Whole numbers of a typed result come as
    /// [`pilum_types::Value::Number`], or as decimal text beyond ±2^53.
    pub output: Option<Output>,
    /// The stable code of the failure; see [`pilum_types::FailureCode`]. It is text because
    /// a newer host may have codes that this client does not know.
    pub error_code: Option<String>,
    /// Why it failed, for people.
    pub error_message: String,
    /// From the start of the first attempt to the end; zero until it has ended.
    pub duration: Duration,
    /// The most linear memory that the instance held at once, in bytes.
    pub memory_used_bytes: u64,
    /// What the last attempt used: `queue_wait_us`, `acquire_us`, `guest_us` and others, as
    /// decimal numbers.
    pub metrics: BTreeMap<String, String>,
    /// When the first attempt began.
    pub started_at: Option<SystemTime>,
    /// When the execution ended.
    pub completed_at: Option<SystemTime>,
}

/// An execution with its attempts and its log.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The status of the execution.
    pub status: Status,
    /// The log lines of the last attempt, each after the name of its stream.
    pub logs: Vec<String>,
    /// Every attempt so far, including the one that runs.
    pub attempts: Vec<Attempt>,
    /// While it waits in the queue: about where, 1 is next.
    pub queue_position: Option<u64>,
    /// Whether it is a dead letter: it failed, has no retries left, and can be redriven or
    /// discarded.
    pub is_dead_letter: bool,
}

/// One run of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Option<SystemTime>,
    /// How long it took; zero until it has ended.
    pub took: Duration,
    /// The stable code of the failure, if it failed.
    pub error_code: Option<String>,
    /// Why it failed, for people.
    pub error_message: String,
    /// The instance that ran it; `None` until it has ended.
    pub instance_id: Option<String>,
}

/// The result of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelResult {
    /// Whether this cancellation ended the execution.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The state of the execution now.
    pub state: State,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Where its code is.
    pub location: String,
    /// The digest of its code, `sha256:…`.
    pub checksum: String,
    /// The owner's type of the artifact, as registered.
    pub artifact_type: String,
    /// The owner's version of the artifact, as registered.
    pub version: String,
    /// When it was registered.
    pub created_at: SystemTime,
    /// When its latest execution ended; before the first has ended, when it was registered.
    pub updated_at: SystemTime,
    /// How many executions it has had, at most `i32::MAX`.
    pub execution_count: u32,
    /// The terminal state of the latest execution that ended.
    pub last_state: Option<State>,
    /// The owner's metadata, and `description` if the task has one.
    pub metadata: BTreeMap<String, String>,
}

/// The result of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteResult {
    /// Whether the task was deleted.
    pub deleted: bool,
    /// For people.
    pub message: String,
    /// How many executions were deleted with it.
    pub cleaned_executions: u32,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionLine {
    /// Its id.
    pub id: ExecutionId,
    /// Its task.
    pub task_id: TaskId,
    /// The function, as the caller named it.
    pub function: String,
    /// Whether it is asynchronous.
    pub asynchronous: bool,
    /// Its state.
    pub state: State,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
    /// From the start of the first attempt to the end; zero until it has ended.
    pub duration: Duration,
    /// Why it failed; empty if it did not.
    pub error_message: String,
    /// `attempts`, and `error_code` if it failed.
    pub metadata: BTreeMap<String, String>,
}

/// The health of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: String,
    /// Why it is not healthy; empty if it is.
    pub message: String,
    /// How long the host has run.
    pub uptime: Duration,
    /// How many tasks are registered.
    pub tasks: u32,
    /// How many executions run.
    pub running: u32,
    /// How many executions wait.
    pub pending: u32,
    /// The host's resident memory, in bytes.
    pub memory_bytes: u64,
    /// `version`, `os`, `arch`, `cpus` and others.
    pub system: BTreeMap<String, String>,
}

/// What a host counted since it started.
// More than 12 fields because it is the flat list of the host's counters.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStats {
    /// How long the host has run.
    pub uptime: Duration,
    /// How many tasks are registered.
    pub tasks: u32,
    /// How many executions there were, including those that wait or run.
    pub executions: u32,
    /// How many executions run.
    pub running: u32,
    /// How many executions wait.
    pub pending: u32,
    /// How many executions completed.
    pub completed: u32,
    /// How many executions failed or timed out.
    pub failed: u32,
    /// The mean time inside guests of the executions that ended.
    pub average_execution: Duration,
    /// How many of the ended executions completed, in percent.
    pub success_rate_percent: f64,
    /// Processor time that the host has used, in percent of one processor over its life.
    pub cpu_usage_percent: f64,
    /// The host's resident memory, in bytes.
    pub memory_bytes: u64,
    /// The host's resident memory, in percent of the machine's memory.
    pub memory_usage_percent: f64,
    /// How many executions ended, by function.
    pub by_function: BTreeMap<String, u32>,
}
