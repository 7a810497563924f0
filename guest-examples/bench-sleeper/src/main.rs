//! Writes to every page of 1 MiB and then sleeps in a host call for an hour. The host's
//! benchmarks measure with it the memory of an instance that waits.

use std::time::Duration;

const MEMORY_BYTES: usize = 1 << 20;

fn main() {
    // Not zero, because a page of zeros may need no real memory.
    let memory = vec![0xA5_u8; MEMORY_BYTES];
    std::hint::black_box(&memory);
    std::thread::sleep(Duration::from_secs(3600));
    std::hint::black_box(&memory);
}
