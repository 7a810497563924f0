//! The asynchronous door: a call is accepted into the store and answered.

use crate::core::Core;
use crate::task_entry::TaskEntry;
use crate::{Accepted, Invocation, Refusal, Reply, Runtime, Store, Submission, estimate, ids};
use pilum_types::FunctionName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl<R: Runtime, S: Store> Core<R, S> {
    /// Accepts a call to be run later.
    pub(crate) async fn invoke_async(&self, invocation: Invocation) -> Result<Reply, Refusal> {
        let arrived = Instant::now();
        let terms = self.terms(&invocation)?;
        let ready = self.resolve(&invocation.tenant, invocation.target).await?;
        let preparation = arrived.elapsed();
        // The worker binds again; here it is only found out whether it can.
        let parameters = invocation.parameters.clone();
        self.runtime.bind(&ready.prepared, &invocation.function, parameters)?;
        let mut reservation = self.reserve(ready.task)?;

        let now = self.clock.now();
        // An id that was just made is nobody else's.
        let accepting = match &invocation.execution_id {
            None => None,
            Some(id) => match self.ledger.accepting(&invocation.tenant, id) {
                Some(accepting) => Some(accepting),
                None => return Err(Refusal::ExecutionExists { id: id.as_str().to_owned() }),
            },
        };
        let submission = Submission {
            id: invocation.execution_id.unwrap_or_else(|| ids::execution(now)),
            tenant: invocation.tenant,
            task_id: reservation.entry.task.id.clone(),
            function: invocation.function,
            parameters: invocation.parameters,
            environment: invocation.environment,
            timeout: terms.timeout,
            max_retries: terms.max_retries,
            force_new_instance: invocation.force_new_instance,
        };
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let pending = submission.pending(now);
        let max_queue_size = self.settings.asynchronous.max_queue_size;
        reservation.register_on_drop(true);
        let accepted = self.store.accept(submission, max_queue_size, now).await?;
        drop(accepting);
        let (execution, ahead) = match accepted {
            Accepted::New { ahead } => {
                reservation.register();
                reservation.entry.count_admitted();
                self.wake.notify_one();
                (pending, ahead)
            }
            Accepted::Existing(execution) => {
                reservation.register();
                (*execution, self.store.depth().await?.pending)
            }
            Accepted::Conflict => {
                reservation.register_on_drop(false);
                return Err(Refusal::ExecutionExists { id: pending.id.as_str().to_owned() });
            }
            Accepted::Full => {
                reservation.register_on_drop(false);
                let retry_after = self.retry_after(self.settings.asynchronous.max_concurrent_executions);
                return Err(Refusal::QueueFull { max_queue_size, retry_after });
            }
        };
        let estimate = if execution.state.is_terminal() {
            Duration::ZERO
        } else {
            self.estimate(&reservation.entry, &execution.function, ahead, preparation)
        };
        Ok(Reply::Accepted { execution: Arc::new(execution), estimate })
    }

    /// How long until a call of `function` ends with `ahead` others in front.
    /// Where nothing at all has run yet, `preparation` is the only time known
    /// of this code.
    fn estimate(
        &self,
        entry: &TaskEntry<R::Prepared>,
        function: &FunctionName,
        ahead: usize,
        preparation: Duration,
    ) -> Duration {
        let all = self.mean.get();
        let own = entry.runs.mean(function).or(all).unwrap_or(preparation);
        // What waits in front is anybody's.
        let other = all.unwrap_or(own);
        estimate::until_end(own, other, ahead, self.settings.asynchronous.max_concurrent_executions)
    }
}

#[cfg(test)]
mod tests;
