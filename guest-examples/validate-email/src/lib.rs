//! Checks email addresses and splits them into their parts, as a component.
//!
//! [`address`] has the rules. It has no code for components, so it is tested natively
//! (`cargo test -p validate-email`).

pub mod address;
#[cfg(target_family = "wasm")]
mod component;
