//! The start and the end of everything that runs by itself.

use crate::core::Core;
use crate::{Runtime, Store};
use std::sync::Arc;
use std::time::Duration;

/// How long what was stopped at the end of a drain has to let go: guests stop
/// within milliseconds, the rest is for the store to write down what is handed
/// back.
const LET_GO: Duration = Duration::from_secs(5);

impl<R: Runtime, S: Store> Core<R, S> {
    /// Spawns the dispatcher and its helpers.
    pub(crate) fn spawn(self: &Arc<Self>) {
        let core = Arc::clone(self);
        self.tracker.spawn(async move { core.dispatch().await });
        let core = Arc::clone(self);
        self.tracker.spawn(async move { core.ring().await });
        let core = Arc::clone(self);
        self.tracker.spawn(async move { core.tidy().await });
    }

    /// Takes no new work, lets what runs end for at most `bound`, then stops it.
    pub(crate) async fn drain(&self, bound: Duration) {
        self.slots.close();
        self.runners.close();
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(bound, self.tracker.wait()).await.is_ok() {
            return;
        }
        self.abort.cancel();
        for run in self.ledger.running(|_| true) {
            run.handle.cancel("the host was shut down");
        }
        if tokio::time::timeout(LET_GO, self.tracker.wait()).await.is_err() {
            tracing::error!(left = self.tracker.len(), "the drain is over, though not everything has let go");
        }
    }
}

impl<R: Runtime, S> Core<R, S> {
    /// Stops everything at once, without waiting for it.
    pub(crate) fn shut(&self) {
        self.slots.close();
        self.runners.close();
        self.stop.cancel();
        self.tracker.close();
        self.abort.cancel();
    }
}

#[cfg(test)]
mod tests;
