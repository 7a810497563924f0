//! Executions, tasks and counters as messages.

mod description;
mod execution;
mod figures;
mod page;
mod stream;
mod task;

pub(crate) use description::{current_revision, described};
pub(crate) use execution::{
    accepted, execution_info, finished, log_line, metrics, status, status_number, status_path, timestamp,
};
pub(crate) use figures::{execution_stats, health_details, service_stats};
pub(crate) use page::{Page, page};
pub(crate) use stream::{chunks, piece};
pub(crate) use task::{task_info, task_stats};

/// A count as the wire's `int32`; what does not fit saturates.
fn count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// A size or a time as the wire's `int64`; what does not fit saturates.
fn long(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
