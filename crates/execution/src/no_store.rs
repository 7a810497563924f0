//! A store that nobody may ask for an execution: proof that something works
//! without one. It takes in tasks, as every store does.

use super::{
    Accepted, Admission, AttemptEnd, CancelFound, Claimed, DueCallbacks, Expiry, Fence, ListQuery, Store,
    StoreError, StoreStats,
};
use crate::{Execution, Submission, Summary, Task};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct NoStore;

type Answer<T> = Result<T, StoreError>;

impl Store for NoStore {
    async fn put_task(&self, _: &Arc<Task>) -> Answer<()> {
        Ok(())
    }
    async fn remove_task(&self, _: &TenantId, _: &TaskId) -> Answer<()> {
        Ok(())
    }
    fn tasks(&self) -> Answer<Vec<Task>> {
        Ok(Vec::new())
    }
    async fn accept(&self, _: Submission, _: Admission, _: SystemTime) -> Answer<Accepted> {
        unreachable!("accept")
    }
    async fn claim(&self, _: SystemTime, _: Duration, _: usize) -> Answer<Claimed> {
        unreachable!("claim")
    }
    async fn renew(&self, _: &Fence, _: SystemTime, _: Duration) -> Answer<()> {
        unreachable!("renew")
    }
    async fn hand_back(&self, _: &Fence, _: SystemTime) -> Answer<Arc<Execution>> {
        unreachable!("hand_back")
    }
    async fn finish(&self, _: &Fence, _: Arc<Outcome>, _: SystemTime) -> Answer<Arc<Execution>> {
        unreachable!("finish")
    }
    async fn retry_later(
        &self,
        _: &Fence,
        _: AttemptEnd,
        _: SystemTime,
        _: SystemTime,
    ) -> Answer<Arc<Execution>> {
        unreachable!("retry_later")
    }
    async fn cancel(&self, _: &TenantId, _: &ExecutionId, _: &str, _: SystemTime) -> Answer<CancelFound> {
        unreachable!("cancel")
    }
    async fn get(&self, _: &TenantId, _: &ExecutionId) -> Answer<Option<Execution>> {
        unreachable!("get")
    }
    async fn list(&self, _: &TenantId, _: &ListQuery) -> Answer<Vec<Summary>> {
        unreachable!("list")
    }
    async fn discard(&self, _: &TenantId, _: &ExecutionId) -> Answer<bool> {
        unreachable!("discard")
    }
    async fn redrive(&self, _: &TenantId, _: &ExecutionId, _: &ExecutionId) -> Answer<Option<Submission>> {
        unreachable!("redrive")
    }
    async fn due_callbacks(&self, _: SystemTime, _: usize) -> Answer<DueCallbacks> {
        unreachable!("due_callbacks")
    }
    async fn end_callback(&self, _: u64) -> Answer<()> {
        unreachable!("end_callback")
    }
    async fn put_off_callback(&self, _: u64, _: u32, _: SystemTime) -> Answer<()> {
        unreachable!("put_off_callback")
    }
    async fn expire(&self, _: Expiry, _: SystemTime, _: usize) -> Answer<usize> {
        unreachable!("expire")
    }
    async fn forget_task(&self, _: &TenantId, _: &TaskId, _: usize) -> Answer<usize> {
        unreachable!("forget_task")
    }
    async fn depth(&self) -> Answer<StoreStats> {
        unreachable!("depth")
    }
}
