//! ListDeadLetters, RedriveDeadLetter and DiscardDeadLetter.

use crate::convert;
use crate::error::ApiError;
use crate::reply;
use crate::service::rpc::execution_page;
use pilum_execution::{Executions, Runtime, Store};
use pilum_proto::pilum::v1::{
    DiscardDeadLetterResponse, ListDeadLettersRequest, ListDeadLettersResponse, RedriveDeadLetterResponse,
};
use pilum_types::{ExecutionId, TenantId};

/// ListDeadLetters.
pub(super) async fn list<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    request: &ListDeadLettersRequest,
) -> Result<ListDeadLettersResponse, ApiError> {
    let Some(query) = convert::dead_letter_page(request)? else {
        return Ok(ListDeadLettersResponse::default());
    };
    let page = execution_page(executions, tenant, query).await?;
    Ok(ListDeadLettersResponse {
        executions: page.executions,
        has_more: page.has_more,
        next_start_after: page.next_start_after,
    })
}

/// RedriveDeadLetter.
pub(super) async fn redrive<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    id: String,
) -> Result<RedriveDeadLetterResponse, ApiError> {
    let new_id = match ExecutionId::parse(&id) {
        Ok(id) => executions.dead_letters().redrive(tenant, &id).await?,
        Err(_malformed) => None,
    };
    let new_id = new_id.ok_or(ApiError::DeadLetterNotFound { id })?;
    Ok(RedriveDeadLetterResponse {
        status_endpoint: reply::status_path(new_id.as_str()),
        execution_id: new_id.to_string(),
    })
}

/// DiscardDeadLetter.
pub(super) async fn discard<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    id: String,
) -> Result<DiscardDeadLetterResponse, ApiError> {
    let discarded = match ExecutionId::parse(&id) {
        Ok(id) => executions.dead_letters().discard(tenant, &id).await?,
        Err(_malformed) => false,
    };
    if discarded { Ok(DiscardDeadLetterResponse {}) } else { Err(ApiError::DeadLetterNotFound { id }) }
}
