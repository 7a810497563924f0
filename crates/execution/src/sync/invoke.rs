//! One synchronous call, from its arrival to its end.

use super::SyncCalls;
use super::attempts::RetryPlan;
use super::execution::SyncExecution;
use super::guard::SyncCallGuard;
use super::io::CallIo;
use super::key::Key;
use crate::ctx::ids;
use crate::ctx::limits::{EffectiveLimits, call_context};
use crate::{CallContext, Invocation, Reply, RequestError, Runtime, Schedule, Store, Submission};
use std::sync::Arc;
use tokio::time::Instant;

impl<R: Runtime, S: Store> SyncCalls<R, S> {
    /// Runs a call in this future.
    pub(crate) async fn invoke(
        &self,
        invocation: Invocation,
        io: Option<Box<CallIo>>,
    ) -> Result<Reply, RequestError> {
        let arrived = Instant::now();
        let settings = &self.ctx.settings;
        let limits = EffectiveLimits::of(settings, &invocation)?;
        let Invocation { tenant, target, function, parameters, execution_id, environment, .. } = invocation;
        let (force_new_instance, mode) = (invocation.force_new_instance, invocation.mode);
        // Output that the reader has received cannot be withdrawn, so such a call has one attempt.
        let may_retry = settings.sync.enable_retries && io.is_none();
        let attempts_max = if may_retry { limits.max_retries.saturating_add(1) } else { 1 };
        let CallIo { request, output, admitted } = io.map_or_else(CallIo::default, |io| *io);

        let resolved = self.tasks.resolve(&tenant, target).await?;
        // A copy of the parameters is needed to recognise a repeated call, or for another attempt.
        let needs_copy = execution_id.is_some() || attempts_max > 1;
        let copied_parameters = needs_copy.then(|| parameters.clone());
        let call = match request {
            None => self.ctx.runtime.bind(&resolved.prepared, &function, parameters)?,
            Some(request) => self.ctx.runtime.bind_request(&resolved.prepared, request)?,
        };
        let mut reservation = self.tasks.reserve(resolved.task)?;
        let task = Arc::clone(&reservation.entry.task);
        let timeout = limits.timeout(&task.spec.policy);

        let has_client_id = execution_id.is_some();
        let id = execution_id.unwrap_or_else(|| ids::execution(self.ctx.clock.at(arrived)));
        let submission = copied_parameters.map(|parameters| {
            Box::new(Submission {
                id: id.clone(),
                tenant: tenant.clone(),
                task_id: task.id.clone(),
                function: function.clone(),
                parameters,
                environment: Arc::clone(&environment),
                timeout,
                max_retries: limits.max_retries,
                force_new_instance,
                schedule: Schedule::default(),
                callback: None,
            })
        });
        let key = Key::new(tenant, id);
        let execution = SyncExecution::new(key, task.id.clone(), function.clone(), mode, submission);
        let mut guard = SyncCallGuard::new(self, Arc::clone(&reservation.entry), execution);
        if has_client_id && let Some(reply) = Box::pin(guard.claim_id(timeout)).await? {
            return Ok(reply);
        }
        let (slot, queue_wait) = self.slot().await?;
        let persisted =
            if reservation.is_new() { Box::pin(self.tasks.persist(&mut reservation)).await? } else { None };
        // There is no await from here until the guest runs, so the call is admitted completely
        // or not at all.
        guard.admit(slot, queue_wait)?;
        reservation.register();
        drop((persisted, reservation));
        if let Some(admitted) = admitted {
            // If the receiver is gone, this future is dropped next.
            let _ = admitted.send(guard.execution.key.id.clone());
        }
        let context = CallContext {
            force_new_instance,
            output,
            ..call_context(settings, &task, function, timeout, &environment)
        };
        let retry_plan = RetryPlan::new(attempts_max, resolved.prepared, &context);
        Ok(Reply::Finished(guard.run(call, context, retry_plan).await))
    }
}
