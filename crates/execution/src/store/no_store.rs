//! A store that nobody may use: proof that something works without one.

use super::{Accepted, CancelFound, Claim, Depth, Fence, ListQuery, Store, StoreError, Submission};
use crate::Execution;
use pilum_types::{ExecutionId, Failure, Outcome, TaskId, TenantId};
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct NoStore;

impl Store for NoStore {
    async fn accept(&self, _: Submission, _: usize, _: SystemTime) -> Result<Accepted, StoreError> {
        unreachable!("accept")
    }
    async fn claim(&self, _: SystemTime, _: Duration) -> Result<Claim, StoreError> {
        unreachable!("claim")
    }
    async fn renew(&self, _: &Fence, _: SystemTime, _: Duration) -> Result<(), StoreError> {
        unreachable!("renew")
    }
    async fn finish(&self, _: &Fence, _: Outcome, _: SystemTime) -> Result<(), StoreError> {
        unreachable!("finish")
    }
    async fn retry_later(
        &self,
        _: &Fence,
        _: Failure,
        _: SystemTime,
        _: SystemTime,
    ) -> Result<(), StoreError> {
        unreachable!("retry_later")
    }
    async fn cancel(
        &self,
        _: &TenantId,
        _: &ExecutionId,
        _: &str,
        _: SystemTime,
    ) -> Result<CancelFound, StoreError> {
        unreachable!("cancel")
    }
    async fn get(&self, _: &TenantId, _: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        unreachable!("get")
    }
    async fn list(&self, _: &TenantId, _: &ListQuery) -> Result<Vec<Execution>, StoreError> {
        unreachable!("list")
    }
    async fn expire(&self, _: SystemTime, _: usize) -> Result<usize, StoreError> {
        unreachable!("expire")
    }
    async fn forget_task(&self, _: &TenantId, _: &TaskId) -> Result<usize, StoreError> {
        unreachable!("forget_task")
    }
    async fn depth(&self) -> Result<Depth, StoreError> {
        unreachable!("depth")
    }
}
