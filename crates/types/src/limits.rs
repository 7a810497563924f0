//! What one call may use.

use std::time::Duration;

/// The bounds of one call. Each is enforced by the engine whatever the guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Wall-clock time from the start of the attempt, start functions included.
    pub timeout: Duration,
    /// All linear memories of the instance together, in bytes.
    pub memory_max_bytes: u64,
    /// All tables of the instance together, in elements.
    pub table_max_elements: u64,
    /// The result, in bytes as it stands in the host's memory.
    pub result_max_bytes: u64,
    /// The log kept of standard output and standard error, in bytes.
    pub log_max_bytes: u64,
    /// Units of fuel; `None` leaves the call unmetered. Only an engine that was
    /// built for metering takes notice.
    pub fuel: Option<u64>,
}
