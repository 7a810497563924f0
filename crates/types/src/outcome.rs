//! How one attempt ended, and which resources it used.

use crate::{Failure, FailureCode, InstanceId, Value};
use std::time::Duration;

/// The outcome of one attempt. The engine sets it, except the queue wait and the number
/// of the attempt in [`Usage`].
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The function's result, or why the attempt failed.
    pub result: Result<Output, Failure>,
    /// The resources that the attempt used.
    pub usage: Usage,
    /// The lines that the guest wrote to its standard streams, at most
    /// [`CallLimits::log_max_bytes`](crate::CallLimits::log_max_bytes). The standard output
    /// of a command is its result and not part of the log.
    pub log: Vec<LogLine>,
    /// The instance that ran the attempt; `None` when no instance could be made.
    pub instance: Option<InstanceId>,
}

impl Outcome {
    /// The outcome of an attempt of which only the failure is known.
    pub fn failed(failure: Failure) -> Self {
        Self { result: Err(failure), usage: Usage::default(), log: Vec::new(), instance: None }
    }

    /// The outcome of an execution that was cancelled for this reason.
    pub fn cancelled(reason: &str) -> Self {
        Self::failed(Failure::new(FailureCode::Cancelled, reason))
    }
}

/// What a function returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A typed result.
    Typed(Value),
    /// The standard output of a command, unchanged.
    Raw(Vec<u8>),
    /// The response of an http handler.
    Response {
        /// The HTTP status, below 500. A higher status makes the attempt fail.
        status: u16,
        /// The body; empty if it was streamed to the caller.
        body: Vec<u8>,
    },
}

/// The resources that an attempt used. Every figure is measured, not estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The wait for a slot (sync), or for a worker (async: from the submission to the start
    /// of the last attempt).
    pub queue_wait: Duration,
    /// The time from the slot until an instance was ready.
    pub acquire: Duration,
    /// The time inside the guest, including its calls of the host.
    pub guest: Duration,
    /// The units of fuel that the guest used; `None` for an unmetered call.
    pub fuel_consumed: Option<u64>,
    /// The most bytes of linear memory that the instance held at once.
    pub peak_memory_bytes: u64,
    /// The number of the attempt within its execution, from 1.
    pub attempt: u32,
    /// The number of calls that the instance has served, including this one.
    pub instance_calls: u64,
}

/// One line that a guest wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The stream that the guest wrote to.
    pub stream: LogStream,
    /// The line without its end; control characters are escaped, invalid UTF-8
    /// is replaced.
    pub text: String,
}

/// The source of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// The host itself, for instance to say that the log was cut off.
    Host,
}

impl LogStream {
    /// The stream's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Host => "host",
        }
    }
}
