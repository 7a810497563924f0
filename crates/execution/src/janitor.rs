//! Forgets executions whose results have been kept for long enough.

use crate::core::Core;
use crate::{Runtime, Store};
use std::time::Duration;

/// How often the janitor looks: results have to be gone within the hour after
/// their retention, and this leaves it many tries.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many executions are forgotten at a time, so that a store's one writer is
/// never kept from accepting for long.
const BATCH: usize = 1000;

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

    async fn sweep(&self) {
        let retention = self.settings.asynchronous.status_retention;
        let Some(before) = self.clock.now().checked_sub(retention) else { return };
        self.ledger.expire(before);
        while !self.stop.is_cancelled() {
            match self.store.expire(before, BATCH).await {
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
