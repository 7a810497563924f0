//! A task as listings and details show it.

use crate::Task;
use pilum_types::State;
use std::sync::Arc;
use std::time::SystemTime;

/// A task with its counts.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The task.
    pub task: Arc<Task>,
    /// How many executions of it were admitted since the process started.
    pub execution_count: u64,
    /// The state of the execution that ended last; `None` before the first end.
    pub last_state: Option<State>,
    /// When the latest execution ended, or when the task was registered.
    pub updated_at: SystemTime,
}
