//! Counters of everything that ran, read by health, statistics and metrics.

use std::time::Duration;

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// How long the host has run.
    pub uptime: Duration,
    /// Registered tasks, of all tenants.
    pub tasks: u64,
    /// Executions under way, of both modes.
    pub running: u64,
    /// Synchronous slots taken.
    pub sync_slots_in_use: u64,
    /// Accepted executions that wait.
    pub pending: u64,
    /// Executions that ended COMPLETED.
    pub completed: u64,
    /// Executions that ended FAILED.
    pub failed: u64,
    /// Executions that ended CANCELLED.
    pub cancelled: u64,
    /// Executions that ended TIMEOUT.
    pub timed_out: u64,
    /// Requests refused before they became an execution.
    pub refused: u64,
    /// Time inside guests of all attempts that ended.
    pub guest_time: Duration,
}
