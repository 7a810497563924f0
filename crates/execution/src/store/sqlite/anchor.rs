//! What time it is for a store, whatever the wall clock says.
//!
//! A process reads the wall clock once and goes on by monotonic time, so a jump
//! of it does no harm while the process lives. Across a restart the store
//! remembers what time it was and how long the machine had been up: on the same
//! boot the time goes on from there. After a reboot the wall
//! clock is all there is, and only never taken back.

use super::error::failed;
use crate::{Clock, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::time::{Duration, Instant, SystemTime};

/// The kernel's name for this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How long the machine has been up, sleep included.
const UPTIME: &str = "/proc/uptime";

/// Which boot this is, and how far into it.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    boot_id: String,
    /// The machine's uptime when this was made.
    uptime: Duration,
    made: Instant,
}

impl Anchor {
    /// Looks up the boot. Where the system does not tell, there is none.
    pub(super) fn new() -> Self {
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

    /// A clock that goes on where the store's last one was.
    pub(super) fn clock(&self, connection: &Connection) -> Result<Clock, StoreError> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        };
        let sql = "SELECT boot_id, since_boot, time FROM anchor";
        let last = connection.query_row(sql, [], read).optional().map_err(failed)?;
        Ok(Clock::beginning(self.time_after(last, SystemTime::now())))
    }

    /// Whether the store's last process ran on this boot of the machine.
    pub(super) fn is_of_this_boot(&self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "SELECT boot_id FROM anchor";
        let last: Option<String> =
            connection.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
        Ok(!self.boot_id.is_empty() && last.is_some_and(|last| last == self.boot_id))
    }

    /// Remembers what time it is now.
    pub(super) fn drop_at(&self, connection: &Connection, now: SystemTime) -> rusqlite::Result<()> {
        let sql = "INSERT INTO anchor (one, boot_id, since_boot, time) VALUES (1, ?1, ?2, ?3) \
            ON CONFLICT (one) DO UPDATE SET boot_id = ?1, since_boot = ?2, time = ?3";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![self.boot_id, self.since_boot(), super::stored::nanos(now)]).map(drop)
    }

    fn time_after(&self, last: Option<(String, i64, i64)>, wall: SystemTime) -> SystemTime {
        let Some((boot_id, then, time)) = last else { return wall };
        let time = super::stored::time(time);
        if boot_id == self.boot_id && !boot_id.is_empty() {
            let passed = u64::try_from(self.since_boot().saturating_sub(then)).unwrap_or(0);
            return time + Duration::from_nanos(passed);
        }
        wall.max(time)
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
    fn the_wall_clock_counts_only_where_nothing_better_is_known() {
        let anchor = Anchor { boot_id: "this".into(), ..Anchor::new() };
        let last =
            |boot: &str| Some((boot.to_owned(), anchor.since_boot(), super::super::stored::nanos(at(10))));
        assert_eq!(anchor.time_after(None, at(3)), at(3));
        for wall in [at(9), at(10), at(11)] {
            let time = anchor.time_after(last("this"), wall);
            let passed = time.duration_since(at(10)).unwrap();
            assert!(passed < Duration::from_secs(60), "it went on by {passed:?}");
        }
        assert_eq!(anchor.time_after(last("another"), at(11)), at(11));
        assert_eq!(anchor.time_after(last("another"), at(9)), at(10), "never back");
        let nameless = Anchor { boot_id: String::new(), ..anchor.clone() };
        assert_eq!(nameless.time_after(last(""), at(12)), at(12), "no name, no boot");
    }
}
