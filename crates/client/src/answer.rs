//! What a host answers.

use pilum_types::{ExecutionId, InstanceId, Output, State, TaskId};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How a call was answered.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// Asynchronous: it is accepted. Synchronous: it completed.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The execution.
    pub execution_id: ExecutionId,
    /// The task.
    pub task_id: TaskId,
    /// The instance that served it, once one did.
    pub instance_id: Option<InstanceId>,
    /// How it stands.
    pub status: Status,
    /// Asynchronous: the path on the HTTP listener to follow it at.
    pub status_endpoint: Option<String>,
    /// Asynchronous: how long until it ends, as far as the host can tell.
    pub estimate: Option<Duration>,
}

/// How an execution stands or ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// What the function returned. Whole numbers of a typed result come as
    /// [`pilum_types::Value::Number`], or as decimal text beyond ±2^53.
    pub output: Option<Output>,
    /// The stable code of what went wrong; see [`pilum_types::FailureCode`].
    /// Text, since a newer host may know codes that this client does not.
    pub error_code: Option<String>,
    /// What went wrong, for people.
    pub error_message: String,
    /// From the start of the first attempt to the end; zero until then.
    pub duration: Duration,
    /// Most bytes of linear memory the instance held at once.
    pub memory_used_bytes: u64,
    /// The receipt: `queue_wait_us`, `acquire_us`, `guest_us`, ….
    pub metrics: BTreeMap<String, String>,
    /// When the first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
}

/// An execution that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it stands.
    pub status: Status,
    /// The last attempt's log lines, each after the name of its stream.
    pub logs: Vec<String>,
    /// Every attempt so far, the one under way included.
    pub attempts: Vec<Attempt>,
    /// While it waits its turn: about the how manieth it is, from 1.
    pub queue_position: Option<u64>,
    /// Whether it failed for good and waits to be redriven or discarded.
    pub is_dead_letter: bool,
}

/// One run of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Option<SystemTime>,
    /// How long it took; zero while it runs.
    pub took: Duration,
    /// The stable code of what went wrong, if it failed.
    pub error_code: Option<String>,
    /// What went wrong, for people.
    pub error_message: String,
    /// The instance that ran it, once it has ended.
    pub instance_id: Option<String>,
}

/// What became of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// Whether it ended the execution.
    pub success: bool,
    /// For people.
    pub message: String,
    /// How the execution stands now.
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
    /// The artifact's kind, as registered.
    pub artifact_type: String,
    /// The artifact's version, as registered.
    pub version: String,
    /// When it was registered.
    pub created_at: SystemTime,
    /// When its latest execution ended, or the registration.
    pub updated_at: SystemTime,
    /// How many executions it has had, at most `i32::MAX`.
    pub execution_count: u32,
    /// How the latest one that ended did.
    pub last_state: Option<State>,
    /// Free pairs, and `description` if it has one.
    pub metadata: BTreeMap<String, String>,
}

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Whether the task is gone.
    pub deleted: bool,
    /// For people.
    pub message: String,
    /// How many executions were forgotten.
    pub cleaned_executions: u32,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionLine {
    /// Its id.
    pub id: ExecutionId,
    /// Its task.
    pub task_id: TaskId,
    /// The function, as called.
    pub function: String,
    /// Whether it is asynchronous.
    pub asynchronous: bool,
    /// Where it stands.
    pub state: State,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
    /// From the start of the first attempt to the end; zero until then.
    pub duration: Duration,
    /// What went wrong, if it failed.
    pub error_message: String,
    /// `attempts`, and `error_code` if it failed.
    pub metadata: BTreeMap<String, String>,
}

/// How a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: String,
    /// Why.
    pub message: String,
    /// How long it has run.
    pub uptime: Duration,
    /// Registered tasks.
    pub tasks: u32,
    /// Executions under way.
    pub running: u32,
    /// Executions that wait.
    pub pending: u32,
    /// The host's resident memory, bytes.
    pub memory_bytes: u64,
    /// `version`, `os`, `arch`, `cpus`, ….
    pub system: BTreeMap<String, String>,
}

/// A host's statistics since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStats {
    /// How long it has run.
    pub uptime: Duration,
    /// Registered tasks.
    pub tasks: u32,
    /// Executions, those under way included.
    pub executions: u32,
    /// Executions under way.
    pub running: u32,
    /// Executions that wait.
    pub pending: u32,
    /// Executions that completed.
    pub completed: u32,
    /// Executions that failed or timed out.
    pub failed: u32,
    /// Guest time per ended execution.
    pub average_execution: Duration,
    /// Completed of all that ended, percent.
    pub success_rate_percent: f64,
    /// Processor time, percent of one processor over the host's life.
    pub cpu_usage_percent: f64,
    /// The host's resident memory, bytes.
    pub memory_bytes: u64,
    /// The host's resident memory, percent of the machine's.
    pub memory_usage_percent: f64,
    /// Ended executions by function.
    pub by_function: BTreeMap<String, u32>,
}
