//! Whether the host grants the limits that a deployment's policy asks for.

use crate::{RequestError, RequestField, Settings};
use pilum_types::{Policy, PolicyLimits};

/// Checks a policy.
///
/// # Errors
/// When it asks for more than the host grants.
pub(super) fn check_policy(settings: &Settings, policy: &Policy) -> Result<(), RequestError> {
    let PolicyLimits { timeout, memory_max_bytes, result_max_bytes, log_max_bytes } = policy.limits;
    let host = &settings.limits;
    let too_much = |field, max: u64, unit: &str| {
        let reason = format!("must be at most {max} {unit}, which is this host's bound");
        Err(RequestError::InvalidArgument { field, reason })
    };
    let max = settings.sync.max_timeout.max(settings.asynchronous.max_timeout);
    if timeout.is_some_and(|asked| asked > max) {
        let max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        return too_much(RequestField::PolicyTimeout, max, "ms");
    }
    for (field, asked, max) in [
        (RequestField::PolicyMemoryMaxBytes, memory_max_bytes, host.memory_max_bytes),
        (RequestField::PolicyResultMaxBytes, result_max_bytes, host.result_max_bytes),
        (RequestField::PolicyLogMaxBytes, log_max_bytes, host.log_max_bytes),
    ] {
        if asked.is_some_and(|asked| asked > max) {
            return too_much(field, max, "bytes");
        }
    }
    Ok(())
}
