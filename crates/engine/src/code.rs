//! From verified bytes to code that can be called.
//!
//! `compile` turns WebAssembly into native code in a child process; `native` keeps
//! native code on disk; `compiled` is native code in memory, and `exports` what can be
//! called in it; `linkers` link it against what the host offers, which makes it
//! `prepared`; `docs` reads what its author wrote about its functions.

pub(crate) mod compile;
pub(crate) mod compiled;
pub(crate) mod docs;
pub(crate) mod exports;
pub(crate) mod linkers;
pub(crate) mod native;
pub(crate) mod prepared;
