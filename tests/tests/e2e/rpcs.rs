//! The RPCs beside the calls, the standard services, and messages that no correct
//! client sends.

mod hostile;
mod services;
mod statistics;
mod tasks;
