//! Hostile: traps three functions deep, so that a backtrace has names to show:
//! `inner_step`, `middle_step`, `outer_step`.

use std::hint::black_box;

fn main() {
    println!("{}", outer_step(black_box(1)));
}

#[inline(never)]
fn outer_step(value: u32) -> u32 {
    middle_step(value + 1) * 3
}

#[inline(never)]
fn middle_step(value: u32) -> u32 {
    inner_step(value + 2) * 5
}

#[inline(never)]
fn inner_step(value: u32) -> u32 {
    // Always true, but the compiler does not know that, so the callers stay functions.
    if black_box(value) > 0 {
        trap();
    }
    value
}

#[cfg(target_family = "wasm")]
#[inline(always)]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_family = "wasm"))]
fn trap() -> ! {
    std::process::abort()
}
