//! One function of a core module without imports; it takes and returns a number.

#![no_std]

use core::arch::wasm32::unreachable;
use core::panic::PanicInfo;

/// The n-th Fibonacci number; F(0) = 0. Traps for n above 93, because F(94) does not fit
/// into 64 bits.
#[unsafe(no_mangle)]
extern "C" fn calculate_fibonacci(n: u32) -> u64 {
    let (mut previous, mut current) = (1_u64, 0_u64);
    for _ in 0..n {
        let Some(next) = previous.checked_add(current) else { unreachable() };
        (previous, current) = (current, next);
    }
    current
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unreachable()
}
