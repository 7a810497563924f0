//! Hostile: loops for ever without a single call to the host.

use std::hint::black_box;

fn main() {
    let mut turns = 0_u64;
    loop {
        // Opaque to the optimiser, which may therefore neither drop nor fold the loop.
        turns = black_box(turns).wrapping_add(1);
    }
}
