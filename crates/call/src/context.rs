//! What an attempt runs under.

use crate::{HttpResponse, LogSink};
use bytes::Bytes;
use pilum_types::{CallLimits, FunctionName, Policy, TaskId, TaskName, TenantId};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What one attempt of a call runs under, from the moment it is admitted to the end
/// of its guest.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The task's name; a command's `argv[0]`.
    pub task_name: TaskName,
    /// The revision whose code runs. Warm instances belong to it, and stored values to its task.
    pub revision: RevisionKey,
    /// The policy of that revision.
    pub policy: Arc<Policy>,
    /// The function's name as the caller wrote it; a command's `argv[1]`.
    pub function: FunctionName,
    /// The bounds of this attempt.
    pub limits: CallLimits,
    /// Environment variables: the task's, with the caller's on top. The guest sees no
    /// other variables.
    pub environment: Arc<[(String, String)]>,
    /// Forbids an instance that has served another call.
    pub force_new_instance: bool,
    /// Where the output goes.
    pub output: OutputMode,
    /// Receives each log line while the guest writes it.
    pub log_sink: Option<LogSink>,
}

impl CallContext {
    /// A call of the first revision of a task of the default tenant. Nothing is
    /// granted and the output is collected.
    pub fn new(task_name: TaskName, task: TaskId, function: FunctionName, limits: CallLimits) -> Self {
        Self {
            task_name,
            revision: RevisionKey { tenant: TenantId::default(), task, revision: 1 },
            policy: Arc::default(),
            function,
            limits,
            environment: Arc::from([]),
            force_new_instance: false,
            output: OutputMode::Collect,
            log_sink: None,
        }
    }
}

/// Identifies one revision of one task. Instances are shared only between calls with
/// the same key, so no call gets an instance of another tenant, another task, other
/// code or another policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RevisionKey {
    /// The tenant. It is part of the key because callers may choose task ids: two
    /// tenants may have the same one.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskId,
    /// The number of the revision, from 1.
    pub revision: u32,
}

/// Where the output of a call goes.
#[derive(Debug, Clone, Default)]
pub enum OutputMode {
    /// Into the outcome, up to the bound of a result.
    #[default]
    Collect,
    /// To the reader at once, in chunks: a command's standard output, or a handler's
    /// body. The channel's capacity bounds how many chunks the guest may write before
    /// the reader has taken them. If the reader has gone, the guest's writes fail as on a
    /// closed file. The value that a typed function returns still goes into the outcome.
    Stream(mpsc::Sender<Bytes>),
    /// A handler's response, as soon as its status and headers are known. The body
    /// follows while the handler writes it. The channel must have room for the response.
    HttpResponse(mpsc::Sender<HttpResponse>),
}
