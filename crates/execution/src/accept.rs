//! The asynchronous door: a call is accepted into the store and answered.

use crate::core::Core;
use crate::janitor::SWEEP_EVERY;
use crate::task_entry::TaskEntry;
use crate::{
    Accepted, Admission, Execution, Invocation, Reply, RequestError, RequestField, Runtime, Store,
    Submission, estimate, ids,
};
use pilum_types::FunctionName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl<R: Runtime, S: Store> Core<R, S> {
    /// Accepts a call to be run later.
    pub(crate) async fn invoke_async(&self, invocation: Invocation) -> Result<Reply, RequestError> {
        let arrived = Instant::now();
        let terms = self.terms(&invocation)?;
        if let Some(url) = &invocation.callback {
            let field = RequestField::CallbackUrl;
            (self.settings.check_callback)(url)
                .map_err(|reason| RequestError::InvalidArgument { field, reason })?;
        }
        let ready = self.resolve(&invocation.tenant, invocation.target).await?;
        let preparation = arrived.elapsed();
        // The worker binds again; here it is only found out whether it can.
        let parameters = invocation.parameters.clone();
        self.runtime.bind(&ready.prepared, &invocation.function, parameters)?;
        let mut reservation = self.reserve(ready.task)?;

        let brought = invocation.execution_id.is_some();
        // An id that was just made is nobody else's.
        let accepting = match &invocation.execution_id {
            None => None,
            Some(id) => match self.ledger.accepting(&invocation.tenant, id) {
                Some(accepting) => Some(accepting),
                None => return Err(RequestError::ExecutionExists { id: id.as_str().to_owned() }),
            },
        };
        let submission = Submission {
            id: invocation.execution_id.unwrap_or_else(|| ids::execution(self.clock.now())),
            tenant: invocation.tenant,
            task_id: reservation.entry.task.id.clone(),
            function: invocation.function,
            parameters: invocation.parameters,
            environment: invocation.environment,
            timeout: terms.timeout(&reservation.entry.task.spec.policy),
            max_retries: terms.max_retries,
            force_new_instance: invocation.force_new_instance,
            schedule: invocation.schedule,
            callback: invocation.callback,
        };
        if self.is_draining() {
            return Err(RequestError::Draining);
        }
        let kept = if reservation.is_new() { Box::pin(self.keep(&mut reservation)).await? } else { None };
        let now = self.clock.now();
        let pending = submission.pending(now);
        let admission = self.admission(&reservation.entry, &submission.function, brought);
        reservation.register_on_drop(true);
        let accepted = self.store.accept(submission, admission, now).await?;
        drop(accepting);
        let refusal = match accepted {
            Accepted::New { ahead } => {
                reservation.register();
                // Looked at once it can be found: a deletion either finds it or is
                // seen here.
                if reservation.entry.is_deleted() {
                    let gone = "the task was deleted";
                    self.store.cancel(&pending.tenant, &pending.id, gone, self.clock.now()).await?;
                    return Err(RequestError::TaskNotFound { id: pending.task_id.as_str().to_owned() });
                }
                reservation.entry.count_admitted();
                self.wake.notify_one();
                let estimate = self.estimate(&reservation.entry, &pending, ahead, preparation);
                let execution = Arc::new(Execution { queue_position: Some(ahead + 1), ..pending });
                self.watchers.publish(&execution);
                return Ok(Reply::Pending { execution, estimate });
            }
            Accepted::Existing(execution) => {
                reservation.register();
                let ahead = execution.queue_position.map_or(0, |position| position - 1);
                let estimate = self.estimate(&reservation.entry, &execution, ahead, preparation);
                return Ok(Reply::Pending { execution: Arc::new(*execution), estimate });
            }
            Accepted::Conflict => RequestError::ExecutionExists { id: pending.id.as_str().to_owned() },
            Accepted::Full => self.queue_full(),
            Accepted::OutOfSpace { max_bytes } => self.out_of_space(max_bytes),
        };
        reservation.register_on_drop(false);
        self.unkeep(kept, &mut reservation).await?;
        Err(refusal)
    }

    /// Under which conditions a call of `function` is accepted.
    pub(crate) fn admission(
        &self,
        entry: &TaskEntry<R::Prepared>,
        function: &FunctionName,
        brought: bool,
    ) -> Admission {
        let max_pending = self.settings.asynchronous.max_queue_size;
        Admission { max_pending, expected: entry.runs().mean(function).unwrap_or_default(), brought }
    }

    /// As many wait as may.
    pub(crate) fn queue_full(&self) -> RequestError {
        let queue = &self.settings.asynchronous;
        let retry_after = self.retry_after(queue.max_concurrent_executions);
        RequestError::QueueFull { max_queue_size: queue.max_queue_size, retry_after }
    }

    /// As much is kept as may be.
    pub(crate) fn out_of_space(&self, max_bytes: u64) -> RequestError {
        RequestError::OutOfSpace { max_bytes, retry_after: SWEEP_EVERY }
    }

    /// How long until an execution ends with `ahead` others in front.
    /// Where nothing at all has run yet, `preparation` is the only time known
    /// of this code.
    fn estimate(
        &self,
        entry: &TaskEntry<R::Prepared>,
        execution: &Execution,
        ahead: usize,
        preparation: Duration,
    ) -> Duration {
        if execution.state.is_terminal() {
            return Duration::ZERO;
        }
        let all = self.mean.get();
        let own = entry.runs().mean(&execution.function).or(all).unwrap_or(preparation);
        // What waits in front is anybody's.
        let other = all.unwrap_or(own);
        estimate::until_end(own, other, ahead, self.settings.asynchronous.max_concurrent_executions)
    }
}

#[cfg(test)]
mod tests;
