//! How the output of a call leaves while it runs: in pieces, or as a response.

use pilum_call::{HttpRequest, OutputMode};
use pilum_types::ExecutionId;
use tokio::sync::oneshot;

/// How a call comes in and its output goes out, where that is not the usual way.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// What is asked of the http handler, instead of a function and parameters.
    pub(crate) request: Option<HttpRequest>,
    /// Where the output goes.
    pub(crate) output: OutputMode,
    /// Is told the id once the call is an execution.
    pub(crate) admitted: Option<oneshot::Sender<ExecutionId>>,
}
