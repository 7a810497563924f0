//! The exit codes of the command line. 0 means that the command did what was asked.

/// The function ran and failed, or what the command asked for was not done.
pub(crate) const FAILED: u8 = 1;
/// The command was refused: nothing ran.
pub(crate) const REFUSED: u8 = 2;
