//! Times as text.

use prost_types::Timestamp;
use std::time::SystemTime;

/// Reads a time in RFC 3339 form; `None` for any other text.
pub fn read_time(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok()?.try_into().ok()
}

/// Writes a time in RFC 3339 form, in UTC, to the second.
pub fn write_time(time: SystemTime) -> String {
    Timestamp { nanos: 0, ..Timestamp::from(time) }.to_string()
}
