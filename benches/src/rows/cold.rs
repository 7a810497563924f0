//! Rows of what happens first: starting the host, compiling, first calls.

pub(super) mod compile_storm;
pub(super) mod first_compile;
pub(super) mod host;
pub(super) mod task;
