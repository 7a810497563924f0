//! The limits of a call, from three sources: what the caller asks for, the policy of the
//! task, and the host's settings. The lowest one applies.

use crate::{CallContext, Invocation, Mode, OutputMode, RequestError, RequestField, Settings, Task};
use pilum_types::{CallLimits, FunctionName, Policy};
use std::sync::Arc;
use std::time::Duration;

/// The limits of a call, after defaults and bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EffectiveLimits {
    /// The timeout that the caller asked for.
    asked_timeout: Option<Duration>,
    default_timeout: Duration,
    max_timeout: Duration,
    pub(crate) max_retries: u32,
}

impl EffectiveLimits {
    /// The limits of a call.
    ///
    /// # Errors
    /// When the caller asks for more than the host grants.
    pub(crate) fn of(settings: &Settings, invocation: &Invocation) -> Result<Self, RequestError> {
        let (sync, asynchronous) = (&settings.sync, &settings.asynchronous);
        let (default_timeout, max_timeout) = match invocation.mode {
            Mode::Sync | Mode::Stream | Mode::Http => (sync.default_timeout, sync.max_timeout),
            Mode::Async => (asynchronous.default_timeout, asynchronous.max_timeout),
        };
        if invocation.timeout.is_some_and(|asked| asked > max_timeout) {
            let reason = format!("must be at most {} ms", max_timeout.as_millis());
            return Err(RequestError::InvalidArgument { field: RequestField::Timeout, reason });
        }
        let bound = asynchronous.max_retries;
        let max_retries = invocation.max_retries.unwrap_or(bound);
        if max_retries > bound {
            let reason = format!("must be at most {bound}");
            return Err(RequestError::InvalidArgument { field: RequestField::MaxRetries, reason });
        }
        Ok(Self { asked_timeout: invocation.timeout, default_timeout, max_timeout, max_retries })
    }

    /// The timeout of a call of a task with this policy.
    pub(crate) fn timeout(&self, policy: &Policy) -> Duration {
        self.asked_timeout.or(policy.limits.timeout).unwrap_or(self.default_timeout).min(self.max_timeout)
    }
}

/// The limits of an attempt with this timeout, of a task with this policy.
pub(crate) fn call_limits(settings: &Settings, timeout: Duration, policy: &Policy) -> CallLimits {
    let host = &settings.limits;
    let lower = |asked: Option<u64>, max: u64| asked.map_or(max, |asked| asked.min(max));
    CallLimits {
        timeout,
        memory_max_bytes: lower(policy.limits.memory_max_bytes, host.memory_max_bytes),
        result_max_bytes: lower(policy.limits.result_max_bytes, host.result_max_bytes),
        log_max_bytes: lower(policy.limits.log_max_bytes, host.log_max_bytes),
        ..*host
    }
}

/// The context of an attempt of a call of `task`. Its output is collected.
pub(crate) fn call_context(
    settings: &Settings,
    task: &Task,
    function: FunctionName,
    timeout: Duration,
    environment: &Arc<[(String, String)]>,
) -> CallContext {
    let policy = &task.spec.policy;
    CallContext {
        task_name: task.spec.name.clone(),
        revision: task.revision_key(),
        policy: Arc::clone(policy),
        function,
        limits: call_limits(settings, timeout, policy),
        environment: merged_environment(policy, environment),
        force_new_instance: false,
        output: OutputMode::Collect,
        log_sink: None,
    }
}

/// The environment variables of the task and of the caller. The caller's take precedence.
fn merged_environment(policy: &Policy, callers: &Arc<[(String, String)]>) -> Arc<[(String, String)]> {
    match (policy.environment.is_empty(), callers.is_empty()) {
        (true, _) => Arc::clone(callers),
        (false, true) => Arc::clone(&policy.environment),
        (false, false) => {
            let of_task =
                policy.environment.iter().filter(|(name, _)| callers.iter().all(|(n, _)| n != name));
            of_task.chain(callers.iter()).cloned().collect()
        }
    }
}
