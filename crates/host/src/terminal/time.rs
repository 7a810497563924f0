//! Reads times as people type them.

use anyhow::{Context, Result};
use std::time::{Duration, SystemTime};

/// Reads a time: `90s`, `10m`, `2h` or `3d` from now, or the form of RFC 3339.
///
/// # Errors
/// When the text is neither.
pub(crate) fn read(text: &str) -> Result<SystemTime> {
    let from_now = || {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let seconds = digits.parse::<u32>().ok()?.checked_mul(u32::try_from(seconds).ok()?)?;
        Some(SystemTime::now() + Duration::from_secs(seconds.into()))
    };
    from_now().or_else(|| pilum_client::read_time(text)).with_context(|| {
        format!("the time {text:?}; write 90s, 10m, 2h or 3d for so long from now, or 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_now_or_at_a_moment() {
        let left =
            |text| read(text).unwrap().duration_since(SystemTime::now()).unwrap().as_secs_f64().round();
        assert_eq!(["90s", "10m", "2h", "1d"].map(left), [90.0, 600.0, 7_200.0, 86_400.0]);
        let at = read("2001-09-09T01:46:40Z").unwrap();
        assert_eq!(at, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        for bad in ["", "s", "-1s", "10", "1w", "soon", "99999999999d", "ü", "2001-13-01T00:00:00Z"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
