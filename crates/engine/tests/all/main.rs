//! The engine as its callers see it, on guests written in WAT.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod instances;
mod limits;
mod preparing;
mod refused;
mod rig;
mod roundtrip;
mod values;
