//! Why a request did not become an execution. Nothing is created when one of these errors is
//! returned.

use crate::settings::EXPIRE_EVERY;
use pilum_call::BindError;
use pilum_store::StoreError;
use pilum_types::{Digest, TaskName};
use std::fmt;
use std::time::Duration;

/// A request that never became an execution.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// A field of the request is wrong. The gateway finds most of these errors itself.
    #[error("{field}: {reason}")]
    InvalidArgument {
        /// The field. The gateway knows its name on the wire.
        field: RequestField,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// No task of this tenant has the id.
    #[error("no task has the id {id:?}; `ListTasks` lists the tasks")]
    TaskNotFound {
        /// The id that the caller wrote.
        id: String,
    },
    /// The name belongs to a task with other code.
    #[error(
        "the task {name} exists with the code {existing}, not {offered}: call it by its task id, \
         deploy the new code as a new revision (`pilum deploy`, HostService.DeployTask), or use another name"
    )]
    NameTaken {
        /// The name.
        name: TaskName,
        /// The digest of the task's code.
        existing: Digest,
        /// The digest of the caller's code.
        offered: Digest,
    },
    /// The task has no such revision.
    #[error("the task has no {}; its revisions are {}",
        .number.map_or("earlier revision".to_owned(), |number| format!("revision {number}")),
        .kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    RevisionNotFound {
        /// The number that was asked for; `None` asks for the revision before the active one.
        number: Option<u32>,
        /// The numbers of all revisions.
        kept: Vec<u32>,
    },
    /// The tenant has the highest number of tasks. Waiting does not help: a task must be deleted
    /// first.
    #[error("{max} tasks are registered, which is the bound; delete one first, or call one of them")]
    TooManyTasks {
        /// How many a tenant may register.
        max: usize,
    },
    /// The code of the task could not be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The function or its parameters do not fit the code.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// All slots for synchronous calls are taken, and none became free within the bound.
    #[error("all {slots} slots for synchronous calls are taken; try again, or call asynchronously")]
    NoSlot {
        /// How many slots there are.
        slots: usize,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The queue of asynchronous executions is full.
    #[error("the queue holds {max_queue_size} executions, which is its bound; try again later")]
    QueueFull {
        /// How many may wait.
        max_queue_size: usize,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The stored executions have reached their bound in bytes.
    #[error(
        "the stored executions have {max_bytes} bytes, which is their bound; try again when results have \
         expired, or set a shorter status_retention_hours or a larger storage.executions_max_bytes"
    )]
    OutOfSpace {
        /// The bound.
        max_bytes: u64,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The storage is full.
    #[error("the host's disk is full; nothing was accepted, try again later")]
    DiskFull {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The execution id belongs to another request.
    #[error(
        "the execution {id} exists for another request; use a new id, or send none and the host generates one"
    )]
    ExecutionExists {
        /// The id.
        id: String,
    },
    /// The host is shutting down.
    #[error("the host is shutting down; call another host, or try again after its restart")]
    Draining,
    /// The host failed. The text is for the host's log; callers do not get it.
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

/// Why the code of a task could not be prepared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PrepareError {
    /// The location or the checksum is invalid.
    #[error("{field}: {reason}")]
    InvalidSource {
        /// The field: the location or the checksum.
        field: RequestField,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// The bytes could not be fetched, retries included.
    #[error("{0}")]
    Unavailable(String),
    /// The bytes have another digest.
    #[error("the artifact has the digest {found}, not {expected}")]
    ChecksumMismatch {
        /// The digest that the caller gave.
        expected: Digest,
        /// The digest of the fetched bytes.
        found: Digest,
    },
    /// The host cannot run the bytes. The text says where and why.
    #[error("{0}")]
    InvalidCode(String),
    /// The host failed. The text is for the host's log; callers do not get it.
    #[error("internal error: {0}")]
    Internal(String),
}

impl fmt::Display for RequestField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::MaxRetries => "retries",
            Self::CallbackUrl => "callback URL",
            Self::PolicyTimeout => "timeout of the policy",
            Self::PolicyMemoryMaxBytes => "memory limit of the policy",
            Self::PolicyResultMaxBytes => "result limit of the policy",
            Self::PolicyLogMaxBytes => "log limit of the policy",
            Self::ArtifactLocation => "location of the artifact",
            Self::ArtifactChecksum => "checksum of the artifact",
        })
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::StorageFull(text) => {
                tracing::error!(text, "the storage is full");
                Self::DiskFull { retry_after: EXPIRE_EVERY }
            }
            error @ (StoreError::LeaseLost(_) | StoreError::Failed(_)) => Self::Internal(error.to_string()),
        }
    }
}
