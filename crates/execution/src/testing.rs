//! Helpers of this crate's tests: a fake runtime, and a store that must not be used.

pub(crate) mod fake;
pub(crate) mod no_store;
