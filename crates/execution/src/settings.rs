//! The bounds executions live under. The host reads them from its configuration.

use pilum_types::CallLimits;
use std::time::Duration;

/// Everything that can be set about executions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Synchronous calls.
    pub sync: SyncSettings,
    /// Asynchronous executions.
    pub asynchronous: AsyncSettings,
    /// The bounds of a call; its `timeout` is replaced by the call's own.
    pub limits: CallLimits,
    /// How many tasks a tenant may register.
    pub max_tasks: usize,
    /// Whether a callback may go to this URL; if not, why.
    pub check_callback: fn(&str) -> Result<(), String>,
}

/// Bounds of synchronous calls.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// The timeout of a call that names none.
    pub default_timeout: Duration,
    /// The longest timeout a call may name.
    pub max_timeout: Duration,
    /// How many run at once.
    pub max_concurrent_requests: usize,
    /// How long a call waits for a slot before it is refused.
    pub slot_wait: Duration,
    /// Whether failures that another attempt may cure are tried again.
    pub enable_retries: bool,
}

/// Bounds of asynchronous executions.
#[derive(Debug, Clone)]
pub struct AsyncSettings {
    /// The timeout of an attempt whose call names none.
    pub default_timeout: Duration,
    /// The longest timeout a call may name.
    pub max_timeout: Duration,
    /// How many executions may wait.
    pub max_queue_size: usize,
    /// How many run at once.
    pub max_concurrent_executions: usize,
    /// How long a finished execution can be read.
    pub status_retention: Duration,
    /// How long a dead letter can be read and redriven, if longer than that.
    pub dead_letter_retention: Duration,
    /// Whether failures that another attempt may cure are tried again.
    pub enable_retries: bool,
    /// How many retries a call may ask for, and gets when it names none.
    pub max_retries: u32,
}
