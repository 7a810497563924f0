//! GetExecutionStatus, CancelExecution and ListExecutions.

use crate::convert;
use crate::error::ApiError;
use crate::reply;
use crate::service::rpc::execution_page;
use pilum_execution::{CancelResult, Executions, Runtime, Store};
use pilum_proto::spearlet::{
    CancelExecutionRequest, CancelExecutionResponse, GetExecutionStatusRequest, GetExecutionStatusResponse,
    ListExecutionsRequest, ListExecutionsResponse,
};
use pilum_types::{ExecutionId, State, TenantId};

/// GetExecutionStatus.
pub(super) async fn status<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: GetExecutionStatusRequest,
) -> Result<GetExecutionStatusResponse, ApiError> {
    // No execution has a malformed id, so the answer is the same as for an unknown id.
    let found = match ExecutionId::parse(&request.execution_id) {
        Ok(id) => executions.query().execution(&tenant, &id).await?,
        Err(_malformed) => None,
    };
    let Some(execution) = found else {
        return Ok(GetExecutionStatusResponse {
            message: "no execution has this id; the host keeps ended executions for a limited time"
                .to_owned(),
            ..GetExecutionStatusResponse::default()
        });
    };
    Ok(reply::status(&execution, request.include_result, request.include_logs))
}

/// CancelExecution.
pub(super) async fn cancel<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: CancelExecutionRequest,
) -> Result<CancelExecutionResponse, ApiError> {
    let reason = convert::cancel_reason(request.reason)?;
    let result = match ExecutionId::parse(&request.execution_id) {
        Ok(id) => executions.cancellation().cancel(&tenant, &id, &reason, request.force).await?,
        Err(_malformed) => CancelResult::Unknown,
    };
    let (success, message, state) = match result {
        CancelResult::Done => (true, "cancelled".to_owned(), State::Cancelled),
        CancelResult::NeedsForce => {
            (false, "the execution is running; set force to stop it".to_owned(), State::Running)
        }
        CancelResult::AlreadyEnded(state) => (
            false,
            format!("the execution had already ended: {}", state.as_str().to_ascii_lowercase()),
            state,
        ),
        CancelResult::Unknown => return Err(ApiError::ExecutionNotFound { id: request.execution_id }),
    };
    Ok(CancelExecutionResponse { success, message, final_status: reply::status_number(state) })
}

/// ListExecutions.
pub(super) async fn list<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: ListExecutionsRequest,
) -> Result<ListExecutionsResponse, ApiError> {
    let Some(query) = convert::execution_page(&request)? else {
        return Ok(ListExecutionsResponse::default());
    };
    let page = execution_page(executions, &tenant, query).await?;
    Ok(ListExecutionsResponse {
        executions: page.executions,
        has_more: page.has_more,
        next_start_after: page.next_start_after,
    })
}
