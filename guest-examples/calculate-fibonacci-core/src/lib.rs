//! A bare core module: numeric exports, no imports, no allocator, no WASI.
//!
//! It is the smallest guest and the cheapest to instantiate.
//!
//! - `add(a: i32, b: i32) -> i32`, wrapping.
//! - `calculate-fibonacci(n: i32) -> i64`: the n-th Fibonacci number, F(0) = 0.
//!   Traps with `unreachable` for a negative n and above n = 92, because F(93) does
//!   not fit into an `i64`.

#![cfg(target_family = "wasm")]
#![no_std]

use core::arch::wasm32::unreachable;
use core::panic::PanicInfo;

#[unsafe(export_name = "add")]
extern "C" fn add(a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

#[unsafe(export_name = "calculate-fibonacci")]
extern "C" fn calculate_fibonacci(n: i32) -> i64 {
    if !(0..=92).contains(&n) {
        unreachable();
    }
    let (mut current, mut next) = (0_i64, 1_i64);
    for _ in 0..n {
        // Only `next` wraps, and only after the last number that is returned.
        (current, next) = (next, current.wrapping_add(next));
    }
    current
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unreachable()
}
