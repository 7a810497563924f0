//! Fibonacci numbers as a component: the smallest typed example.
//!
//! It has the same function twice, to show the two ways in which a guest can fail: by a
//! trap, which ends the instance, and by the error of a `result`, which is a normal
//! return value.

pub mod fibonacci;

#[cfg(target_family = "wasm")]
mod component {
    use crate::fibonacci::fibonacci;

    wit_bindgen::generate!({ world: "calculate-fibonacci" });

    struct Component;

    impl Guest for Component {
        fn add(a: i32, b: i32) -> i32 {
            a.wrapping_add(b)
        }

        fn calculate_fibonacci(n: u32) -> u64 {
            fibonacci(n).unwrap_or_else(|| core::arch::wasm32::unreachable())
        }

        fn calculate_fibonacci_checked(n: u32) -> Result<u64, String> {
            fibonacci(n).ok_or_else(|| {
                format!("the Fibonacci number of {n} does not fit 64 bits; 93 is the last that does")
            })
        }
    }

    export!(Component);
}
