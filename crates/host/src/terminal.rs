//! What a command reads from a command line and writes to a terminal or a script.

pub(crate) mod exit;
pub(crate) mod parameters;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod time;
