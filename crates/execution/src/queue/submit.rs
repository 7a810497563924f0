//! Submits a call: the store accepts it, and the caller gets its id.

use super::Queue;
use crate::ctx::ids;
use crate::ctx::limits::EffectiveLimits;
use crate::observe::estimate;
use crate::settings::EXPIRE_EVERY;
use crate::tasks::TaskEntry;
use crate::{
    Admission, Execution, Invocation, Reply, RequestError, RequestField, Runtime, Store, Submission,
    SubmitResult,
};
use pilum_types::FunctionName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl<R: Runtime, S: Store> Queue<R, S> {
    /// Submits a call that runs later.
    pub(crate) async fn submit(&self, invocation: Invocation) -> Result<Reply, RequestError> {
        let arrived = Instant::now();
        let limits = EffectiveLimits::of(&self.ctx.settings, &invocation)?;
        self.check_callback(&invocation)?;
        let resolved = self.tasks.resolve(&invocation.tenant, invocation.target).await?;
        let preparation = arrived.elapsed();
        self.ctx.runtime.check(&resolved.prepared, &invocation.function, &invocation.parameters)?;
        let mut reservation = self.tasks.reserve(resolved.task)?;

        let has_client_id = invocation.execution_id.is_some();
        // A generated id cannot be in use already.
        let submitting = match &invocation.execution_id {
            None => None,
            Some(id) => match self.sync_executions.reserve_for_submission(&invocation.tenant, id) {
                Some(submitting) => Some(submitting),
                None => return Err(execution_exists(id.as_str())),
            },
        };
        let submission = Submission {
            id: invocation.execution_id.unwrap_or_else(|| ids::execution(self.ctx.clock.now())),
            tenant: invocation.tenant,
            task_id: reservation.entry.task.id.clone(),
            function: invocation.function,
            parameters: invocation.parameters,
            environment: invocation.environment,
            timeout: limits.timeout(&reservation.entry.task.spec.policy),
            max_retries: limits.max_retries,
            force_new_instance: invocation.force_new_instance,
            schedule: invocation.schedule,
            callback: invocation.callback,
        };
        if self.lifecycle.is_draining() {
            return Err(RequestError::Draining);
        }
        let persisted =
            if reservation.is_new() { Box::pin(self.tasks.persist(&mut reservation)).await? } else { None };
        let id = submission.id.clone();
        let admission = self.admission(&reservation.entry, &submission.function, has_client_id);
        reservation.register_on_drop(true);
        let submitted = self.ctx.store.submit(submission, admission, self.ctx.clock.now()).await?;
        drop(submitting);
        let refusal = match submitted {
            SubmitResult::New(execution) => {
                reservation.register();
                return self.accepted(&reservation.entry, Arc::new(*execution), preparation).await;
            }
            SubmitResult::Existing(execution) => {
                reservation.register();
                let estimate = self.estimate(&reservation.entry, &execution, preparation);
                return Ok(Reply::Pending { execution: Arc::new(*execution), estimate });
            }
            SubmitResult::Conflict => execution_exists(id.as_str()),
            SubmitResult::QueueFull => self.queue_full(),
            SubmitResult::StoreFull { max_bytes } => self.store_full(max_bytes),
        };
        reservation.register_on_drop(false);
        self.tasks.unpersist(persisted, &mut reservation).await?;
        Err(refusal)
    }

    /// The conditions under which a call of `function` is accepted.
    pub(super) fn admission(
        &self,
        entry: &TaskEntry<R::Prepared>,
        function: &FunctionName,
        client_supplied_id: bool,
    ) -> Admission {
        let max_pending = self.ctx.settings.asynchronous.max_queue_size;
        let expected = entry.run_times().mean(function).unwrap_or_default();
        Admission { max_pending, expected, client_supplied_id }
    }

    /// The error for a full queue.
    pub(super) fn queue_full(&self) -> RequestError {
        let settings = &self.ctx.settings.asynchronous;
        let retry_after = self.observer.retry_after(settings.max_concurrent_executions);
        RequestError::QueueFull { max_queue_size: settings.max_queue_size, retry_after }
    }

    /// The error for a store that has reached its bound in bytes.
    pub(super) fn store_full(&self, max_bytes: u64) -> RequestError {
        RequestError::OutOfSpace { max_bytes, retry_after: EXPIRE_EVERY }
    }

    /// The reply for an execution that the store has accepted.
    async fn accepted(
        &self,
        entry: &TaskEntry<R::Prepared>,
        execution: Arc<Execution>,
        preparation: Duration,
    ) -> Result<Reply, RequestError> {
        // Checked after the execution can be found: a deletion either finds the execution, or
        // this check sees the deletion.
        if entry.is_deleted() {
            let (reason, now) = ("the task was deleted", self.ctx.clock.now());
            self.ctx.store.cancel_pending(&execution.tenant, &execution.id, reason, now).await?;
            return Err(RequestError::TaskNotFound { id: execution.task_id.as_str().to_owned() });
        }
        entry.count_admitted();
        self.wake.notify_one();
        let estimate = self.estimate(entry, &execution, preparation);
        self.observer.watchers.publish(&execution);
        Ok(Reply::Pending { execution, estimate })
    }

    /// How long until an execution ends. `preparation` is used if no run time is known yet:
    /// it is the only known time of this code.
    fn estimate(
        &self,
        entry: &TaskEntry<R::Prepared>,
        execution: &Execution,
        preparation: Duration,
    ) -> Duration {
        if execution.state.is_terminal() {
            return Duration::ZERO;
        }
        let all = self.observer.run_time.get();
        let own = entry.run_times().mean(&execution.function).or(all).unwrap_or(preparation);
        // The executions before this one may belong to any task, so the mean over all functions
        // is used for them.
        let other = all.unwrap_or(own);
        let runners = self.ctx.settings.asynchronous.max_concurrent_executions;
        estimate::until_end(own, other, execution.queue_position.unwrap_or(1), runners)
    }

    fn check_callback(&self, invocation: &Invocation) -> Result<(), RequestError> {
        let Some(url) = &invocation.callback else { return Ok(()) };
        let invalid = |reason| RequestError::InvalidArgument { field: RequestField::CallbackUrl, reason };
        (self.ctx.settings.check_callback)(url).map_err(invalid)
    }
}

fn execution_exists(id: &str) -> RequestError {
    RequestError::ExecutionExists { id: id.to_owned() }
}

#[cfg(test)]
mod tests;
