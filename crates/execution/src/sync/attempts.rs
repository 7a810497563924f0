//! The attempts of a synchronous call.

use super::guard::SyncCallGuard;
use crate::ctx::backoff;
use crate::{CallContext, Execution, Runtime, Store};
use pilum_types::{Outcome, Parameter, RetryClass};
use std::sync::Arc;
use tokio::time::Instant;

/// The parts of a call that further attempts need.
pub(super) struct RetryPlan<R: Runtime> {
    prepared: Arc<R::Prepared>,
    attempts_max: u32,
    context: CallContext,
}

/// The end of the pause before another attempt.
enum NextAttempt<Call> {
    /// The call, bound again.
    Bound(Call),
    /// The call was cancelled during the pause.
    Cancelled(Outcome),
    /// The call cannot be bound again, although the first attempt was bound.
    DoesNotBind,
}

impl<R: Runtime> RetryPlan<R> {
    /// `None` if the call has only one attempt.
    pub(super) fn new(attempts_max: u32, prepared: Arc<R::Prepared>, context: &CallContext) -> Option<Self> {
        (attempts_max > 1).then(|| Self { prepared, attempts_max, context: context.clone() })
    }
}

impl<R: Runtime, S: Store> SyncCallGuard<'_, R, S> {
    /// Runs the call to its end, with as many attempts as are allowed and fit into its
    /// timeout.
    pub(super) async fn run(
        mut self,
        mut call: R::Call,
        mut context: CallContext,
        retry_plan: Option<RetryPlan<R>>,
    ) -> Arc<Execution> {
        let began = self.begin_attempt(None);
        let deadline = began + context.limits.timeout;
        loop {
            let attempt = self.run_attempt(call, context);
            let (outcome, cancelled) = tokio::select! {
                biased;
                reason = self.execution.cancel_handle.cancelled() => (Outcome::cancelled(reason), true),
                outcome = attempt => (outcome, false),
            };
            let ended = self.end_attempt(&outcome, cancelled);
            let retry = retry_plan.as_ref().and_then(|plan| self.retry(&outcome, ended, deadline, plan));
            let Some((plan, parameters, retry_at)) = retry else {
                return self.end(outcome, ended);
            };
            match Box::pin(self.bind_again(parameters, retry_at, plan)).await {
                NextAttempt::Bound(next) => call = next,
                NextAttempt::Cancelled(outcome) => return self.end(outcome, Instant::now()),
                NextAttempt::DoesNotBind => return self.end(outcome, ended),
            }
            context = plan.context.clone();
            let began = self.begin_attempt(Some(Instant::now()));
            context.limits.timeout = deadline.saturating_duration_since(began);
        }
    }

    /// Whether another attempt may succeed and fits into the call's timeout: with which plan
    /// and parameters, and when.
    fn retry<'p>(
        &self,
        outcome: &Outcome,
        ended: Instant,
        deadline: Instant,
        plan: &'p RetryPlan<R>,
    ) -> Option<(&'p RetryPlan<R>, Vec<Parameter>, Instant)> {
        let may_help = outcome.result.as_ref().is_err_and(|f| f.code.retry_class() == RetryClass::Maybe);
        if !may_help || self.attempts() >= plan.attempts_max {
            return None;
        }
        let retry_at = ended + backoff::full_jitter(self.attempts());
        let submission = self.execution.submission.as_ref().filter(|_| retry_at < deadline)?;
        Some((plan, submission.parameters.clone(), retry_at))
    }

    /// Waits until `retry_at` and binds the call again.
    async fn bind_again(
        &self,
        parameters: Vec<Parameter>,
        retry_at: Instant,
        plan: &RetryPlan<R>,
    ) -> NextAttempt<R::Call> {
        tokio::select! {
            biased;
            reason = self.execution.cancel_handle.cancelled() => {
                return NextAttempt::Cancelled(Outcome::cancelled(reason));
            }
            () = tokio::time::sleep_until(retry_at) => {}
        }
        match self.bind(&plan.prepared, parameters) {
            Ok(call) => NextAttempt::Bound(call),
            Err(_error) => NextAttempt::DoesNotBind,
        }
    }
}
