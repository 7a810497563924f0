//! New ids: the time of their creation and 80 random bits that nobody can guess.

use pilum_types::{ExecutionId, TaskId};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new execution id.
pub(crate) fn execution(now: SystemTime) -> ExecutionId {
    ExecutionId::from_parts(unix_ms(now), random_bits())
}

/// A new task id.
pub(crate) fn task(now: SystemTime) -> TaskId {
    TaskId::from_parts(unix_ms(now), random_bits())
}

/// Milliseconds since 1970, zero for earlier times.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Random bits of the thread's cryptographic generator: an id proves nothing, but a tenant
/// must not be able to guess the ids of another tenant.
fn random_bits() -> u128 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_same_time_differ() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let ids: std::collections::BTreeSet<_> = (0..1_000).map(|_| execution(now)).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
