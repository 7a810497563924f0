//! Removes ended executions whose retention is over.

use super::Queue;
use crate::settings::EXPIRE_EVERY;
use crate::{Runtime, Store};

/// How many executions are removed at a time, so that submissions never wait long for the
/// store.
const BATCH: usize = 500;

impl<R: Runtime, S: Store> Queue<R, S> {
    /// Removes expired executions at each interval until the drain.
    pub(crate) async fn run_retention(&self) {
        loop {
            tokio::select! {
                () = self.lifecycle.stop.cancelled() => return,
                () = tokio::time::sleep(EXPIRE_EVERY) => self.remove_expired().await,
            }
        }
    }

    pub(crate) async fn remove_expired(&self) {
        let now = self.ctx.clock.now();
        let expiry = self.ctx.settings.asynchronous.expiry(now);
        self.sync_executions.expire(expiry.ended_before);
        while !self.lifecycle.stop.is_cancelled() {
            match self.ctx.store.expire(expiry, now, BATCH).await {
                Ok(removed) if removed >= BATCH => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "expired executions were not removed");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
