//! Why a request did not become an execution. Nothing is created when one of
//! these is returned.

use pilum_call::BindError;
use pilum_types::{Digest, TaskName};
use std::time::Duration;

/// A request that never became an execution.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// A field of the request is wrong. The gateway finds most of these itself.
    #[error("{field:?}: {reason}")]
    InvalidArgument {
        /// The field. The gateway knows what it is called on the wire.
        field: RequestField,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No task of this tenant has the id.
    #[error("no task has the id {id:?}; `ListTasks` shows those there are")]
    TaskNotFound {
        /// The id as the caller wrote it.
        id: String,
    },
    /// The name belongs to a task with other code.
    #[error(
        "the task {name} exists with the code {existing}, not {offered}: call it by its task id, \
         deploy the new code as a new revision (`pilum deploy`, HostService.DeployTask), or use another name"
    )]
    NameTaken {
        /// The name both want.
        name: TaskName,
        /// What the task runs.
        existing: Digest,
        /// What the caller wanted it to run.
        offered: Digest,
    },
    /// The task has no such revision.
    #[error("the task has no {}; there are the revisions {}",
        .number.map_or("earlier revision".to_owned(), |number| format!("revision {number}")),
        .kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    RevisionNotFound {
        /// Which was asked for; the one before the present one where none was named.
        number: Option<u32>,
        /// The numbers of all there are.
        kept: Vec<u32>,
    },
    /// The tenant has as many tasks as it may. RESOURCE_EXHAUSTED on the wire,
    /// with nothing to wait for: a task has to be deleted first.
    #[error("{max} tasks are registered, which is the bound; delete one first, or call one of them")]
    TooManyTasks {
        /// How many a tenant may register.
        max: usize,
    },
    /// The task's code could not be made ready.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The function or its parameters do not fit the code.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// As many synchronous calls run as may, and none ended within the wait.
    #[error("all {slots} slots for synchronous calls are taken; try again, or call asynchronously")]
    NoSlot {
        /// How many may run at once.
        slots: usize,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// As many asynchronous executions wait as may.
    #[error("the queue holds {max_queue_size} executions, which is its bound; try again later")]
    QueueFull {
        /// How many may wait.
        max_queue_size: usize,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// As much is kept of executions as may be.
    #[error(
        "{max_bytes} bytes of executions are kept, which is the bound; room comes as results expire, \
         with a shorter status_retention_hours, or a larger storage.executions_max_bytes"
    )]
    OutOfSpace {
        /// The bound.
        max_bytes: u64,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The disk has no room for what was to be kept.
    #[error("the host's disk is full; nothing was accepted, try again later")]
    DiskFull {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The execution id is in use for another request.
    #[error("the execution {id} exists for another request; use a new id, or none to get one made")]
    ExecutionExists {
        /// The id both use.
        id: String,
    },
    /// The host is shutting down.
    #[error("the host is shutting down; call another, or try again once it is back")]
    Draining,
    /// The host failed. The text is for the host's log, not for the caller.
    #[error("internal error: {0}")]
    Internal(String),
}

/// A field of a request that can be wrong although the request is well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestField {
    /// The timeout of a call.
    Timeout,
    /// The number of retries of a call.
    MaxRetries,
    /// The URL of a callback.
    CallbackUrl,
    /// The timeout in a deployment's policy.
    PolicyTimeout,
    /// The memory limit in a deployment's policy.
    PolicyMemoryMaxBytes,
    /// The limit of a result in a deployment's policy.
    PolicyResultMaxBytes,
    /// The limit of log lines in a deployment's policy.
    PolicyLogMaxBytes,
    /// The location of an artifact.
    ArtifactLocation,
    /// The checksum of an artifact.
    ArtifactChecksum,
}

/// Why a task's code could not be made ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PrepareError {
    /// The location or checksum cannot be used as it is written.
    #[error("{field:?}: {reason}")]
    InvalidSource {
        /// The field: the location or the checksum.
        field: RequestField,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The bytes could not be fetched, after the retries that made sense.
    #[error("{0}")]
    Unavailable(String),
    /// The bytes are not those that were asked for.
    #[error("the artifact has the digest {found}, not {expected}")]
    ChecksumMismatch {
        /// The digest the caller gave.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// The bytes are no code this host runs; the text says where and why.
    #[error("{0}")]
    InvalidCode(String),
    /// The host failed. The text is for the host's log, not for the caller.
    #[error("internal error: {0}")]
    Internal(String),
}
