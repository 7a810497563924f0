//! The state that all HTTP routes share.

use pilum_execution::{Executions, Runtime};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The state that all HTTP routes share.
pub(super) struct HttpState<R: Runtime, S> {
    pub(super) executions: Arc<Executions<R, S>>,
    /// Cancelled when the host begins to shut down.
    pub(super) draining: CancellationToken,
}
