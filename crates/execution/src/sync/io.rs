//! The input and the output of a streamed call or of an HTTP request.

use pilum_call::{HttpRequest, OutputMode};
use pilum_types::ExecutionId;
use tokio::sync::oneshot;

/// The input and the output of a call, if they are not parameters and a result.
#[derive(Debug, Default)]
pub(crate) struct CallIo {
    /// A request for the http handler, instead of a function with parameters.
    pub(super) request: Option<HttpRequest>,
    /// What happens to the output.
    pub(super) output: OutputMode,
    /// Receives the id once the call is an execution.
    pub(super) admitted: Option<oneshot::Sender<ExecutionId>>,
}
