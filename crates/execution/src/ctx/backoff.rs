//! How long to wait before another attempt.

use std::time::Duration;

/// The longest first wait. It is short, since most failures that another attempt cures are
/// over within a tenth of a second.
const BACKOFF_BASE: Duration = Duration::from_millis(100);
/// The longest wait of all, so that a late attempt still begins while its result is useful.
const BACKOFF_CAP: Duration = Duration::from_secs(30);

/// Exponential backoff with full jitter: a random time from zero to a bound that doubles from
/// attempt to attempt. `failed` counts the attempts so far.
///
/// Full jitter spreads callers that failed at the same time, see
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
pub(crate) fn full_jitter(failed: u32) -> Duration {
    bound(failed).mul_f64(rand::random::<f64>())
}

fn bound(failed: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
    BACKOFF_BASE.saturating_mul(doubled).min(BACKOFF_CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_cap() {
        let ms: Vec<u128> =
            [0, 1, 2, 3, 9, 10, 32, u32::MAX].into_iter().map(|n| bound(n).as_millis()).collect();
        assert_eq!(ms, [100, 100, 200, 400, 25_600, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn jitter_fills_the_range_and_stays_in_it() {
        let waits: Vec<Duration> = (0..1_000).map(|_| full_jitter(3)).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(400)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(100)), "no short wait");
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(300)), "no long wait");
    }
}
