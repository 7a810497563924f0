//! Touches every page of 1 MiB and sleeps inside the host for an hour, for the
//! host's benchmarks: what does an instance cost that waits?

use std::time::Duration;

const MEMORY_BYTES: usize = 1 << 20;

fn main() {
    // Not zero: a page of zeros need not be backed by real memory.
    let memory = vec![0xA5_u8; MEMORY_BYTES];
    std::hint::black_box(&memory);
    std::thread::sleep(Duration::from_secs(3600));
    std::hint::black_box(&memory);
}
