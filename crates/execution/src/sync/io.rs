//! How the input of a call comes in and how its output goes out, if not in the usual way.

use pilum_call::{HttpRequest, OutputMode};
use pilum_types::ExecutionId;
use tokio::sync::oneshot;

/// The input and the output of a streamed call.
#[derive(Debug, Default)]
pub(crate) struct CallIo {
    /// A request for the http handler, instead of a function with parameters.
    pub(super) request: Option<HttpRequest>,
    /// Where the output goes.
    pub(super) output: OutputMode,
    /// Receives the id once the call is an execution.
    pub(super) admitted: Option<oneshot::Sender<ExecutionId>>,
}
