//! Checks email addresses and takes them apart, as a component.
//!
//! The rules are in [`address`], which knows nothing of components and is
//! tested natively (`cargo test -p validate-email`).

pub mod address;
#[cfg(target_family = "wasm")]
mod component;
