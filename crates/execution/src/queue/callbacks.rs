//! Callbacks: which ones are due, and when they are tried again. The host delivers them.

use crate::ctx::Ctx;
use crate::{Callback, RequestError, Runtime, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often a callback is tried. The tries are spread over one to three hours, so that a
/// receiver can be deployed again in the meantime.
const TRIES_MAX: u32 = 8;
/// The longest wait after the first try. Each further wait is four times as long.
const WAIT_FIRST: Duration = Duration::from_secs(2);
/// How long to wait before the next query of the store when no callback is known to be due.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// The callbacks of ended executions.
#[derive(Debug)]
pub struct Callbacks<R, S> {
    ctx: Arc<Ctx<R, S>>,
    /// Tells the deliverer that a callback has become due.
    pub(super) due: Notify,
}

impl<R: Runtime, S: Store> Callbacks<R, S> {
    pub(crate) fn new(ctx: Arc<Ctx<R, S>>) -> Self {
        Self { ctx, due: Notify::new() }
    }

    /// Waits until a callback is due and takes it. The caller delivers it and answers with
    /// [`tried`](Self::tried). A callback without an answer is due again after a restart.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next(&self) -> Result<Callback, RequestError> {
        loop {
            let mut due = self.ctx.store.due_callbacks(self.ctx.clock.now(), 1).await?;
            if let Some(callback) = due.callbacks.pop() {
                return Ok(callback);
            }
            let latest = Instant::now() + POLL_EVERY;
            let next = due.next_due.map_or(latest, |at| self.ctx.clock.instant(at).min(latest));
            tokio::select! {
                () = self.due.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Records a failed or finished delivery: `may_retry` says whether another try could help.
    /// Returns whether another try follows.
    ///
    /// # Errors
    /// When the store fails. The callback is due again after a restart then.
    pub async fn tried(&self, callback: &Callback, may_retry: bool) -> Result<bool, RequestError> {
        let tries = callback.tries + 1;
        if !may_retry || tries >= TRIES_MAX {
            self.ctx.store.remove_callback(callback.number).await?;
            return Ok(false);
        }
        let at = self.ctx.clock.now() + wait_after(tries).mul_f64(0.5 + rand::random::<f64>() / 2.0);
        self.ctx.store.postpone_callback(callback.number, tries, at).await?;
        self.due.notify_one();
        Ok(true)
    }
}

fn wait_after(tries: u32) -> Duration {
    WAIT_FIRST.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_spread_over_more_than_an_hour() {
        let waits: Vec<u64> = (1..TRIES_MAX).map(|tries| wait_after(tries).as_secs()).collect();
        assert_eq!(waits, [2, 8, 32, 128, 512, 2048, 8192]);
        assert_eq!(wait_after(u32::MAX), WAIT_FIRST.saturating_mul(u32::MAX));
    }
}
