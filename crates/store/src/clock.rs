//! One clock for all times that are recorded.

use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Wall-clock times that never jump: the wall clock is read once, at start, and every
/// later time is that moment plus monotonic time. Under paused time it moves with tokio's
/// clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: SystemTime,
    origin: Instant,
}

impl Clock {
    /// Reads both clocks.
    pub fn start() -> Self {
        Self::beginning(SystemTime::now())
    }

    /// A clock that shows `wall` now.
    pub fn beginning(wall: SystemTime) -> Self {
        Self { wall, origin: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        self.wall + self.origin.elapsed()
    }

    /// The wall-clock time of a monotonic moment.
    pub fn at(&self, instant: Instant) -> SystemTime {
        self.wall + instant.saturating_duration_since(self.origin)
    }

    /// The monotonic moment of a wall-clock time; the origin for times before it.
    pub fn instant(&self, time: SystemTime) -> Instant {
        self.origin + time.duration_since(self.wall).unwrap_or_default()
    }

    /// How long this clock has run.
    pub fn uptime(&self) -> Duration {
        self.origin.elapsed()
    }
}
