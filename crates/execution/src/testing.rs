//! What this crate's tests share: a fake runtime, and a store that must not be asked.

pub(crate) mod fake;
pub(crate) mod no_store;
