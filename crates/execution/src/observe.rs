//! Observes executions: their state, their changes, their run times, and the counters.

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
