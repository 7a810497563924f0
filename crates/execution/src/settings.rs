//! The bounds of executions. The host reads them from its configuration.

use crate::Expiry;
use pilum_types::CallLimits;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often expired executions are removed. They must be removed within the hour after their
/// retention, and this interval allows many tries.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Everything that can be set about executions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Synchronous calls.
    pub sync: SyncSettings,
    /// Asynchronous executions.
    pub asynchronous: AsyncSettings,
    /// The bounds of an attempt. Its `timeout` is replaced by the call's own.
    pub limits: CallLimits,
    /// How many tasks a tenant may register.
    pub max_tasks: usize,
    /// Checks whether a callback may go to this URL; the error says why not.
    pub check_callback: fn(&str) -> Result<(), String>,
}

/// Bounds of synchronous calls.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// The timeout of a call that asks for none.
    pub default_timeout: Duration,
    /// The longest timeout that a call may ask for.
    pub max_timeout: Duration,
    /// How many calls run at once.
    pub max_concurrent_requests: usize,
    /// How long a call waits for a slot before the host refuses it.
    pub slot_wait: Duration,
    /// Whether another attempt follows a failure that it may not have.
    pub enable_retries: bool,
}

/// Bounds of asynchronous executions.
#[derive(Debug, Clone)]
pub struct AsyncSettings {
    /// The timeout of an attempt whose call asks for none.
    pub default_timeout: Duration,
    /// The longest timeout that a call may ask for.
    pub max_timeout: Duration,
    /// How many executions may wait.
    pub max_queue_size: usize,
    /// How many calls run at once.
    pub max_concurrent_executions: usize,
    /// How long a finished execution can be read.
    pub status_retention: Duration,
    /// How long a dead letter can be read and redriven, if that is longer than
    /// `status_retention`.
    pub dead_letter_retention: Duration,
    /// Whether another attempt follows a failure that it may not have.
    pub enable_retries: bool,
    /// How many retries a call may ask for. A call that asks for no number gets this many.
    pub max_retries: u32,
}

impl AsyncSettings {
    /// Which ended executions are removed at `now`.
    pub(crate) fn expiry(&self, now: SystemTime) -> Expiry {
        let before = |retention| now.checked_sub(retention).unwrap_or(UNIX_EPOCH);
        Expiry {
            ended_before: before(self.status_retention),
            dead_letters_before: before(self.dead_letter_retention.max(self.status_retention)),
        }
    }
}
