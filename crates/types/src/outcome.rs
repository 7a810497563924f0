//! How one attempt ended, and what it used.

use crate::{Failure, FailureCode, InstanceId, Value};
use std::time::Duration;

/// Everything an attempt leaves behind.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the function returned, or how it failed.
    pub result: Result<Output, Failure>,
    /// What it used.
    pub usage: Usage,
    /// What it wrote to its standard streams, capped. A command's standard
    /// output is its result and not repeated here.
    pub log: Vec<LogLine>,
    /// The instance that served it; `None` when none could be made.
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
    /// Bytes as they came: a command's standard output.
    Raw(Vec<u8>),
    /// What an http handler answered: the status, and the body as it came.
    Response {
        /// Below 500; with another it is a failure.
        status: u16,
        /// The body; empty where it was streamed.
        body: Vec<u8>,
    },
}

/// What an attempt used. Every figure is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Waited for a slot (sync) or for a worker (async, from acceptance to the
    /// start of the last attempt).
    pub queue_wait: Duration,
    /// From the slot until an instance was ready.
    pub acquire: Duration,
    /// Inside the guest, host calls included.
    pub guest: Duration,
    /// Fuel used, where the call was metered.
    pub fuel_consumed: Option<u64>,
    /// Most bytes of linear memory the instance held at once.
    pub peak_memory_bytes: u64,
    /// Which attempt of the execution this was, from 1.
    pub attempt: u32,
    /// How many calls the instance has served, this one included.
    pub instance_calls: u64,
}

/// One line that a guest wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it wrote it.
    pub stream: LogStream,
    /// The line without its end; control characters are escaped, invalid UTF-8
    /// is replaced.
    pub text: String,
}

/// Where a guest wrote a line, or the host's own remark about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The host: for instance that the rest was cut off.
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
