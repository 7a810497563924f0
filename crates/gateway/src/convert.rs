//! Requests converted from wire types to the types of the execution layer.
//!
//! This is the one place where wire types of requests are read. Every check of the
//! contract that needs no look-up is made here, and each error names the field by its
//! path on the wire.

mod artifact;
mod bounds;
mod deployment;
mod invocation;
mod page;
mod parameters;
mod schedule;
mod wait;

pub(crate) use bounds::{cancel_reason, check_time_range};
pub(crate) use deployment::deployment;
pub(crate) use invocation::{Rpc, invocation};
pub(crate) use page::{dead_letter_page, execution_page, limit, task_page};
pub(crate) use wait::wait;

#[cfg(test)]
mod tests;
