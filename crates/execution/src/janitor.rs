//! Forgets executions whose results have been kept for long enough.

use crate::core::Core;
use crate::{Expiry, Runtime, Store};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the janitor looks: results have to be gone within the hour after
/// their retention, and this leaves it many tries.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many executions are forgotten at a time, so that a store's one writer is
/// never kept from accepting for long.
const BATCH: usize = 500;

impl<R: Runtime, S: Store> Core<R, S> {
    /// Runs until the drain.
    pub(crate) async fn tidy(&self) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP_EVERY) => self.sweep().await,
            }
        }
    }

    /// What is over at `now`.
    pub(crate) fn expiry(&self, now: SystemTime) -> Expiry {
        let before = |retention| now.checked_sub(retention).unwrap_or(UNIX_EPOCH);
        let settings = &self.settings.asynchronous;
        Expiry {
            ended_before: before(settings.status_retention),
            dead_before: before(settings.dead_letter_retention.max(settings.status_retention)),
        }
    }

    async fn sweep(&self) {
        let now = self.clock.now();
        let expiry = self.expiry(now);
        self.ledger.expire(expiry.ended_before);
        while !self.stop.is_cancelled() {
            match self.store.expire(expiry, now, BATCH).await {
                Ok(forgotten) if forgotten >= BATCH => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "expired executions were not forgotten");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
