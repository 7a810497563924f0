//! Hostile: calls itself without end.
//!
//! The frames use no linear memory, so the engine's stack overflows and not the guest's
//! own.

use std::hint::black_box;

fn main() {
    // The recursion has an end that no stack reaches. Without it the compiler could see
    // that the function never returns, and make a loop of it.
    let depth_max = black_box(u64::MAX);
    println!("{}", descend(0, depth_max));
}

#[inline(never)]
fn descend(depth: u64, depth_max: u64) -> u64 {
    if depth == depth_max {
        return depth;
    }
    // This work depends on the call's result, so the call is no tail call.
    let below = descend(depth + 1, depth_max);
    below.rotate_left(7) ^ (depth | 1)
}
