//! The synchronous door: a call runs in its caller's own future.
//!
//! Nothing is spawned and no channel stands in between, so a caller who goes
//! away takes the guest along: the future is dropped, and [`Flight`]'s drop
//! frees what the call held.

use crate::core::{Core, cancelled};
use crate::door::Door;
use crate::flight::{Again, Flight};
use crate::key::Key;
use crate::sync_run::SyncRun;
use crate::{
    CallContext, Invocation, Reply, RequestError, Runtime, Schedule, Store, Submission, backoff, ids,
};
use pilum_types::{Outcome, Parameter, RetryClass};
use std::sync::Arc;
use tokio::time::Instant;

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs a call here and now.
    pub(crate) async fn invoke_sync(
        &self,
        invocation: Invocation,
        door: Option<Box<Door>>,
    ) -> Result<Reply, RequestError> {
        let arrived = Instant::now();
        let terms = self.terms(&invocation)?;
        let Invocation { tenant, target, function, parameters, execution_id, environment, .. } = invocation;
        let (force_new_instance, mode) = (invocation.force_new_instance, invocation.mode);
        // What has been given out cannot be taken back, so that is not tried again.
        let retries = self.settings.sync.enable_retries && door.is_none();
        let attempts_max = if retries { terms.max_retries.saturating_add(1) } else { 1 };
        let Door { request, output, admitted } = door.map_or_else(Door::default, |door| *door);

        let ready = self.resolve(&tenant, target).await?;
        // A copy is for a repeat to be recognised by, or for another attempt.
        let keep = execution_id.is_some() || attempts_max > 1;
        let kept = keep.then(|| parameters.clone());
        let call = match request {
            None => self.runtime.bind(&ready.prepared, &function, parameters)?,
            Some(request) => self.runtime.bind_request(&ready.prepared, request)?,
        };
        let mut reservation = self.reserve(ready.task)?;
        let task = Arc::clone(&reservation.entry.task);
        let timeout = terms.timeout(&task.spec.policy);

        let brought = execution_id.is_some();
        let id = execution_id.unwrap_or_else(|| ids::execution(self.clock.at(arrived)));
        let request = kept.map(|parameters| {
            Box::new(Submission {
                id: id.clone(),
                tenant: tenant.clone(),
                task_id: task.id.clone(),
                function: function.clone(),
                parameters,
                environment: Arc::clone(&environment),
                timeout,
                max_retries: terms.max_retries,
                force_new_instance,
                schedule: Schedule::default(),
                callback: None,
            })
        });
        let run = SyncRun::new(Key::new(tenant, id), task.id.clone(), function.clone(), mode, request);
        let mut flight = Flight::new(self, Arc::clone(&reservation.entry), run);
        if brought && let Some(reply) = Box::pin(flight.claim(timeout)).await? {
            return Ok(reply);
        }
        let (slot, queue_wait) = self.slot().await?;
        let kept = if reservation.is_new() { Box::pin(self.keep(&mut reservation)).await? } else { None };
        // Nothing waits from here until the guest is polled, so the call is
        // admitted whole or not at all.
        flight.admit(slot, queue_wait)?;
        reservation.register();
        drop((kept, reservation));
        if let Some(admitted) = admitted {
            // Whoever does not listen any more drops this future next.
            let _ = admitted.send(flight.run.key.id.clone());
        }
        let context = CallContext {
            task_name: task.spec.name.clone(),
            revision: task.revision_key(),
            policy: Arc::clone(&task.spec.policy),
            limits: self.limits(timeout, &task.spec.policy),
            environment: Self::environment(&task.spec.policy, &environment),
            function,
            force_new_instance,
            output,
            log_sink: None,
        };
        let again = Again { prepared: ready.prepared, attempts_max };
        Ok(Reply::Finished(flight.run(call, context, &again).await))
    }
}

impl<R: Runtime, S: Store> Flight<'_, R, S> {
    /// Runs the call to its end, with as many attempts as are allowed and fit
    /// into its time.
    async fn run(
        mut self,
        call: R::Call,
        mut context: CallContext,
        again: &Again<R>,
    ) -> Arc<crate::Execution> {
        let mut began = self.begin_attempt(None);
        let deadline = began + context.limits.timeout;
        let mut call = call;
        loop {
            context.limits.timeout = deadline.saturating_duration_since(began);
            let attempt = self.core.run(call, context.clone());
            let (outcome, cancelled) = tokio::select! {
                biased;
                reason = self.run.handle.cancelled() => (cancelled(reason), true),
                outcome = attempt => (outcome, false),
            };
            let ended = self.end_attempt(&outcome, cancelled);
            let Some((parameters, next)) = self.next_attempt(&outcome, ended, deadline, again) else {
                return self.end(outcome, ended);
            };
            match Box::pin(self.another(parameters, next, &again.prepared)).await {
                Another::Call(next) => call = next,
                Another::Cancelled(outcome) => return self.end(outcome, Instant::now()),
                Another::Unfit => return self.end(outcome, ended),
            }
            began = self.begin_attempt(Some(Instant::now()));
        }
    }

    /// Whether another attempt may help and fits into the call's time: with
    /// what, and when.
    fn next_attempt(
        &self,
        outcome: &Outcome,
        ended: Instant,
        deadline: Instant,
        again: &Again<R>,
    ) -> Option<(Vec<Parameter>, Instant)> {
        let may_help = outcome.result.as_ref().is_err_and(|f| f.code.retry_class() == RetryClass::Maybe);
        if !may_help || self.attempts() >= again.attempts_max {
            return None;
        }
        let next = ended + backoff::full_jitter(self.attempts());
        let request = self.run.request.as_ref().filter(|_| next < deadline)?;
        Some((request.parameters.clone(), next))
    }

    /// Waits until `next` and binds the call anew.
    async fn another(
        &self,
        parameters: Vec<Parameter>,
        next: Instant,
        prepared: &Arc<R::Prepared>,
    ) -> Another<R::Call> {
        tokio::select! {
            biased;
            reason = self.run.handle.cancelled() => return Another::Cancelled(cancelled(reason)),
            () = tokio::time::sleep_until(next) => {}
        }
        match self.core.runtime.bind(prepared, &self.run.function, parameters) {
            Ok(call) => Another::Call(call),
            Err(_fitted_before) => Another::Unfit,
        }
    }
}

/// What the pause before another attempt ended with.
enum Another<Call> {
    /// The call, bound anew.
    Call(Call),
    /// Somebody cancelled it meanwhile.
    Cancelled(Outcome),
    /// It does not bind any more; it did before.
    Unfit,
}

#[cfg(test)]
mod tests;
