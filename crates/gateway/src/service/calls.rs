//! Calling functions and following their executions.

use super::Functions;
use crate::convert::{self, Rpc};
use crate::error::Rejection;
use crate::reply;
use pilum_execution::{Cancelled, Refusal, Reply, Runtime, Store};
use pilum_proto::spearlet::{
    CancelExecutionRequest, CancelExecutionResponse, GetExecutionStatusRequest, GetExecutionStatusResponse,
    InvokeFunctionRequest, InvokeFunctionResponse, ListExecutionsRequest, ListExecutionsResponse,
    StreamExecutionResult,
};
use pilum_types::{ExecutionId, State, TenantId};

impl<R: Runtime, S: Store> Functions<R, S> {
    pub(super) async fn invoke(
        &self,
        tenant: TenantId,
        request: InvokeFunctionRequest,
    ) -> Result<InvokeFunctionResponse, Rejection> {
        Ok(match self.call(tenant, request, Rpc::Invoke).await? {
            Reply::Finished(execution) => reply::finished(&execution),
            Reply::Accepted { execution, estimate } => reply::accepted(&execution, estimate),
        })
    }

    /// The chunks of a call's result. The call has ended by then; it stops when
    /// the caller goes away, as a synchronous one does.
    pub(super) async fn stream(
        &self,
        tenant: TenantId,
        request: InvokeFunctionRequest,
    ) -> Result<Vec<StreamExecutionResult>, Rejection> {
        match self.call(tenant, request, Rpc::Stream).await? {
            Reply::Finished(execution) | Reply::Accepted { execution, estimate: _ } => {
                Ok(reply::chunks(&execution))
            }
        }
    }

    async fn call(
        &self,
        tenant: TenantId,
        request: InvokeFunctionRequest,
        rpc: Rpc,
    ) -> Result<Reply, Rejection> {
        let asked = convert::invocation(tenant, request, rpc)?;
        self.executions.invoke(asked.invocation).await.map_err(|refusal| match asked.if_unknown {
            Some(instead) if matches!(refusal, Refusal::TaskNotFound { .. }) => instead,
            _ => refusal.into(),
        })
    }

    pub(super) async fn status(
        &self,
        tenant: TenantId,
        request: GetExecutionStatusRequest,
    ) -> Result<GetExecutionStatusResponse, Rejection> {
        // A malformed id is nobody's: it is answered as any unknown one.
        let found = match ExecutionId::parse(&request.execution_id) {
            Ok(id) => self.executions.execution(&tenant, &id).await?,
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
            Ok(id) => self.executions.cancel(&tenant, &id, &reason, request.force).await?,
            Err(_nobodys) => Cancelled::Unknown,
        };
        let (success, message, state) = match cancelled {
            Cancelled::Done => (true, "cancelled".to_owned(), State::Cancelled),
            Cancelled::NeedsForce => {
                (false, "it is running; set force to stop it".to_owned(), State::Running)
            }
            Cancelled::AlreadyEnded(state) => {
                (false, format!("it had already ended: {}", state.as_str().to_ascii_lowercase()), state)
            }
            Cancelled::Unknown => return Err(Rejection::ExecutionNotFound { id: request.execution_id }),
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
