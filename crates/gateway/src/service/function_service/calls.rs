//! InvokeFunction and StreamFunction.

use crate::convert::{self, Rpc};
use crate::error::ApiError;
use crate::reply;
use futures::Stream;
use pilum_execution::{Chunk, Executions, Reply, RequestError, Runtime, Store, StreamingCall};
use pilum_proto::spearlet::{InvokeFunctionRequest, InvokeFunctionResponse, StreamExecutionResult};
use pilum_types::TenantId;
use std::collections::VecDeque;
use tonic::Status;

/// InvokeFunction: a synchronous or an asynchronous call.
pub(super) async fn invoke<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: InvokeFunctionRequest,
) -> Result<InvokeFunctionResponse, ApiError> {
    let parsed = convert::invocation(tenant, request, Rpc::Invoke)?;
    let reply = executions.invoke(parsed.invocation).await;
    match reply.map_err(|error| call_error(parsed.if_unknown, error))? {
        Reply::Finished(execution) => Ok(reply::finished(&execution)),
        Reply::Pending { execution, estimate } => Ok(reply::pending(&execution, estimate)),
    }
}

/// StreamFunction: a call whose output is sent while it runs. The host stops it when
/// the caller goes away, as it does with a synchronous call.
pub(super) async fn stream<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: InvokeFunctionRequest,
) -> Result<StreamingCall, ApiError> {
    let parsed = convert::invocation(tenant, request, Rpc::Stream)?;
    let call = executions.stream(parsed.invocation).await;
    call.map_err(|error| call_error(parsed.if_unknown, error))
}

/// The messages of a streamed call: its output, a typed result when the function has
/// returned it, and the end.
pub(super) fn messages(
    call: StreamingCall,
) -> impl Stream<Item = Result<StreamExecutionResult, Status>> + Send {
    let last_messages = VecDeque::new();
    futures::stream::unfold((Some(call), last_messages), |(mut call, mut last_messages)| async move {
        if let Some(message) = last_messages.pop_front() {
            return Some((Ok(message), (None, last_messages)));
        }
        let running = call.as_mut()?;
        match running.next().await {
            Ok(Some(Chunk::Bytes(bytes))) => {
                let message = reply::chunk(running.id(), &bytes);
                Some((Ok(message), (call, last_messages)))
            }
            Ok(Some(Chunk::End(execution))) => {
                last_messages.extend(reply::last_messages(&execution));
                let first = last_messages.pop_front()?;
                Some((Ok(first), (None, last_messages)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(Status::from(ApiError::from(error))), (None, last_messages))),
        }
    })
}

/// The error of a call: `if_unknown`, if there is one and the task is unknown.
fn call_error(if_unknown: Option<ApiError>, error: RequestError) -> ApiError {
    match if_unknown {
        Some(if_unknown) if matches!(error, RequestError::TaskNotFound { .. }) => if_unknown,
        _ => error.into(),
    }
}
