//! What every HTTP route can use.

use pilum_execution::{Executions, Runtime};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every HTTP route can use.
pub(super) struct HttpState<R: Runtime, S> {
    pub(super) executions: Arc<Executions<R, S>>,
    /// Cancelled when the host begins to shut down.
    pub(super) draining: CancellationToken,
}
