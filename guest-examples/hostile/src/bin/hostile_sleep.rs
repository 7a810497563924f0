//! Hostile: sleeps inside the host for an hour.

use std::time::Duration;

fn main() {
    std::thread::sleep(Duration::from_secs(3600));
}
