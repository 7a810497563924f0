//! The limits of one call.

use std::time::Duration;

/// The limits of one call. The task's policy sets them within the operator's bounds, and
/// the engine enforces each of them, whatever the guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Wall-clock time from the start of the attempt, including start functions.
    pub timeout: Duration,
    /// The bytes of all linear memories of the instance together.
    pub memory_max_bytes: u64,
    /// The elements of all tables of the instance together.
    pub table_max_elements: u64,
    /// The bytes of the result, as it lies in the host's memory.
    pub result_max_bytes: u64,
    /// The bytes of the log that is kept of standard output and standard error.
    pub log_max_bytes: u64,
    /// Units of fuel. `None` leaves the call unmetered. An engine that was built without
    /// metering ignores this limit.
    pub fuel: Option<u64>,
}
