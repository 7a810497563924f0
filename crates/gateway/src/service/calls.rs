//! Calling functions and following their executions.

use super::Functions;
use crate::convert::{self, Rpc};
use crate::error::Rejection;
use crate::reply;
use futures::Stream;
use pilum_execution::{CancelResult, Chunk, Reply, RequestError, Runtime, Store, StreamingCall};
use pilum_proto::spearlet::{
    CancelExecutionRequest, CancelExecutionResponse, GetExecutionStatusRequest, GetExecutionStatusResponse,
    InvokeFunctionRequest, InvokeFunctionResponse, ListExecutionsRequest, ListExecutionsResponse,
    StreamExecutionResult,
};
use pilum_types::{ExecutionId, State, TenantId};
use std::collections::VecDeque;
use tonic::Status;

impl<R: Runtime, S: Store> Functions<R, S> {
    pub(super) async fn invoke(
        &self,
        tenant: TenantId,
        request: InvokeFunctionRequest,
    ) -> Result<InvokeFunctionResponse, Rejection> {
        Ok(match self.call(tenant, request).await? {
            Reply::Finished(execution) => reply::finished(&execution),
            Reply::Pending { execution, estimate } => reply::accepted(&execution, estimate),
        })
    }

    /// A call whose output is sent while it runs. It stops when the caller goes
    /// away, as a synchronous one does.
    pub(super) async fn stream(
        &self,
        tenant: TenantId,
        request: InvokeFunctionRequest,
    ) -> Result<StreamingCall, Rejection> {
        let asked = convert::invocation(tenant, request, Rpc::Stream)?;
        self.executions.stream(asked.invocation).await.map_err(|refusal| unless(asked.if_unknown, refusal))
    }

    async fn call(&self, tenant: TenantId, request: InvokeFunctionRequest) -> Result<Reply, Rejection> {
        let asked = convert::invocation(tenant, request, Rpc::Invoke)?;
        self.executions.invoke(asked.invocation).await.map_err(|refusal| unless(asked.if_unknown, refusal))
    }

    pub(super) async fn status(
        &self,
        tenant: TenantId,
        request: GetExecutionStatusRequest,
    ) -> Result<GetExecutionStatusResponse, Rejection> {
        // A malformed id is nobody's: it is answered as any unknown one.
        let found = match ExecutionId::parse(&request.execution_id) {
            Ok(id) => self.executions.query().execution(&tenant, &id).await?,
            Err(_nobodys) => None,
        };
        let Some(execution) = found else {
            return Ok(GetExecutionStatusResponse {
                message: "no such execution; finished ones are kept for a limited time".to_owned(),
                ..GetExecutionStatusResponse::default()
            });
        };
        Ok(reply::status(&execution, request.include_result, request.include_logs))
    }

    pub(super) async fn cancel(
        &self,
        tenant: TenantId,
        request: CancelExecutionRequest,
    ) -> Result<CancelExecutionResponse, Rejection> {
        let reason = convert::reason(request.reason)?;
        let cancelled = match ExecutionId::parse(&request.execution_id) {
            Ok(id) => self.executions.cancellation().cancel(&tenant, &id, &reason, request.force).await?,
            Err(_nobodys) => CancelResult::Unknown,
        };
        let (success, message, state) = match cancelled {
            CancelResult::Done => (true, "cancelled".to_owned(), State::Cancelled),
            CancelResult::NeedsForce => {
                (false, "it is running; set force to stop it".to_owned(), State::Running)
            }
            CancelResult::AlreadyEnded(state) => {
                (false, format!("it had already ended: {}", state.as_str().to_ascii_lowercase()), state)
            }
            CancelResult::Unknown => return Err(Rejection::ExecutionNotFound { id: request.execution_id }),
        };
        Ok(CancelExecutionResponse { success, message, final_status: reply::status_number(state) })
    }

    pub(super) async fn listed(
        &self,
        tenant: TenantId,
        request: ListExecutionsRequest,
    ) -> Result<ListExecutionsResponse, Rejection> {
        let Some(query) = convert::execution_page(&request)? else {
            return Ok(ListExecutionsResponse::default());
        };
        let page = super::page(&self.executions, &tenant, query).await?;
        let last = page.entries.last().filter(|_| page.has_more);
        Ok(ListExecutionsResponse {
            next_start_after: last.map(|info| info.execution_id.clone()).unwrap_or_default(),
            has_more: page.has_more,
            executions: page.entries,
        })
    }
}

/// What to answer to a refusal: `instead`, where the task is unknown.
fn unless(instead: Option<Rejection>, refusal: RequestError) -> Rejection {
    match instead {
        Some(instead) if matches!(refusal, RequestError::TaskNotFound { .. }) => instead,
        _ => refusal.into(),
    }
}

/// What a streamed call gives, as messages: its output, a typed result once it is
/// there, and the end.
pub(super) fn messages(
    streaming: StreamingCall,
) -> impl Stream<Item = Result<StreamExecutionResult, Status>> + Send {
    let last = VecDeque::new();
    futures::stream::unfold((Some(streaming), last), |(mut streaming, mut last)| async move {
        if let Some(message) = last.pop_front() {
            return Some((Ok(message), (None, last)));
        }
        let stream = streaming.as_mut()?;
        match stream.next().await {
            Ok(Some(Chunk::Bytes(bytes))) => {
                let message = reply::piece(stream.id(), &bytes);
                Some((Ok(message), (streaming, last)))
            }
            Ok(Some(Chunk::End(execution))) => {
                last.extend(reply::chunks(&execution));
                let first = last.pop_front()?;
                Some((Ok(first), (None, last)))
            }
            Ok(None) => None,
            Err(refusal) => Some((Err(Status::from(Rejection::from(refusal))), (None, last))),
        }
    })
}
