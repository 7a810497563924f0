//! The store's time across restarts, independent of jumps of the wall clock.
//!
//! A process reads the wall clock once and continues by monotonic time, so a jump of the
//! wall clock does no harm while the process lives. With every commit the store records the
//! time and how long the machine had been up. The next process on the same boot continues
//! from there. After a reboot it continues from the wall clock, but never before the recorded
//! time.

use crate::error::failed;
use crate::stored::{nanos, time};
use pilum_store::{Clock, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::time::{Duration, Instant, SystemTime};

/// The file with the kernel's id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The file that says how long the machine has been up, sleep included.
const UPTIME: &str = "/proc/uptime";

/// Which boot of the machine this is, and how long the machine has been up.
#[derive(Debug, Clone)]
pub(crate) struct ClockCheckpoint {
    boot_id: String,
    /// The machine's uptime at `made`.
    uptime: Duration,
    made: Instant,
}

impl ClockCheckpoint {
    /// Reads which boot this is. The boot id is empty if the system has none.
    pub(crate) fn new() -> Self {
        let boot_id = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let uptime = std::fs::read_to_string(UPTIME).ok();
        let seconds = uptime.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let uptime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            boot_id: if uptime.is_some() { boot_id.trim().to_owned() } else { String::new() },
            uptime: uptime.unwrap_or_default(),
            made: Instant::now(),
        }
    }

    /// A clock that continues from the time that the last process recorded.
    pub(crate) fn clock(&self, connection: &Connection) -> Result<Clock, StoreError> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        };
        let sql = "SELECT boot_id, since_boot, time FROM clock_checkpoint";
        let last = connection.query_row(sql, [], read).optional().map_err(failed)?;
        Ok(Clock::beginning(self.time_after(last, SystemTime::now())))
    }

    /// Whether the last process ran on this boot of the machine.
    pub(crate) fn is_of_this_boot(&self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "SELECT boot_id FROM clock_checkpoint";
        let last: Option<String> =
            connection.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
        Ok(!self.boot_id.is_empty() && last.is_some_and(|last| last == self.boot_id))
    }

    /// Records that it is `now`.
    pub(crate) fn record(&self, connection: &Connection, now: SystemTime) -> rusqlite::Result<()> {
        let sql = "INSERT INTO clock_checkpoint (one, boot_id, since_boot, time) VALUES (1, ?1, ?2, ?3) \
            ON CONFLICT (one) DO UPDATE SET boot_id = ?1, since_boot = ?2, time = ?3";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![self.boot_id, self.since_boot(), nanos(now)]).map(drop)
    }

    fn time_after(&self, last: Option<(String, i64, i64)>, wall: SystemTime) -> SystemTime {
        let Some((boot_id, then, recorded)) = last else { return wall };
        let recorded = time(recorded);
        if boot_id == self.boot_id && !boot_id.is_empty() {
            let passed = u64::try_from(self.since_boot().saturating_sub(then)).unwrap_or(0);
            return recorded + Duration::from_nanos(passed);
        }
        wall.max(recorded)
    }

    /// How long the machine has been up, in nanoseconds.
    fn since_boot(&self) -> i64 {
        i64::try_from((self.uptime + self.made.elapsed()).as_nanos()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32) -> SystemTime {
        UNIX_EPOCH + 20_000 * DAY + days * DAY
    }

    #[test]
    fn the_wall_clock_counts_only_after_a_reboot() {
        let checkpoint = ClockCheckpoint { boot_id: "this".into(), ..ClockCheckpoint::new() };
        let last = |boot: &str| Some((boot.to_owned(), checkpoint.since_boot(), nanos(at(10))));
        assert_eq!(checkpoint.time_after(None, at(3)), at(3));
        for wall in [at(9), at(10), at(11)] {
            let time = checkpoint.time_after(last("this"), wall);
            let passed = time.duration_since(at(10)).unwrap();
            assert!(passed < Duration::from_secs(60), "the clock moved by {passed:?}");
        }
        assert_eq!(checkpoint.time_after(last("another"), at(11)), at(11));
        assert_eq!(checkpoint.time_after(last("another"), at(9)), at(10), "time never goes back");
        let without_boot_id = ClockCheckpoint { boot_id: String::new(), ..checkpoint.clone() };
        assert_eq!(
            without_boot_id.time_after(last(""), at(12)),
            at(12),
            "without a boot id the wall clock counts"
        );
    }
}
