//! Executions, tasks and counters converted to wire messages.

mod description;
mod execution;
mod numbers;
mod page;
mod schema;
mod stats;
mod stream;
mod task;

pub(crate) use description::{current_revision, task_description};
pub(crate) use execution::{
    execution_info, finished, log_line, metrics, pending, status, status_number, status_path, timestamp,
};
pub(crate) use page::page;
pub(crate) use stats::{execution_stats, health_details, service_stats};
pub(crate) use stream::{chunk, last_messages};
pub(crate) use task::{task_info, task_stats};

#[cfg(test)]
mod tests;
