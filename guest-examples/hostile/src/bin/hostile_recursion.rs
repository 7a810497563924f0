//! Hostile: calls itself without end.
//!
//! The frames hold nothing in linear memory, so it is the engine's stack that
//! overflows and not the guest's own.

use std::hint::black_box;

fn main() {
    // In truth an end, which no stack ever reaches, so that the compiler cannot
    // conclude that the function never returns and turn it into a loop.
    let depth_max = black_box(u64::MAX);
    println!("{}", descend(0, depth_max));
}

#[inline(never)]
fn descend(depth: u64, depth_max: u64) -> u64 {
    if depth == depth_max {
        return depth;
    }
    // Work after the call that cannot be done before it: not a tail call.
    let below = descend(depth + 1, depth_max);
    below.rotate_left(7) ^ (depth | 1)
}
