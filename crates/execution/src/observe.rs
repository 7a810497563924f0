//! What is known about executions: how they stand, how they change, how long they take, and
//! the counters of everything that ran.

pub(crate) mod estimate;
mod finished_cache;
pub(crate) mod observer;
mod query;
mod stats;
mod watch;
pub(crate) mod watchers;

pub use query::Query;
pub use stats::Stats;
pub use watch::Watch;
pub use watchers::Update;
