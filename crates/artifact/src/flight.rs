//! One fetch for any number of simultaneous callers of the same source.
//!
//! A fetch runs in a task of its own, so that no caller in particular has to
//! stay for it, and is aborted when the last one has gone. moka's `try_get_with`
//! would start anew in another caller whenever the first goes away, and panics
//! when that happens too often, which a hostile caller can arrange.

use crate::{ArtifactError, VerifiedArtifact};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use pilum_types::ArtifactSource;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

type Fetched = Result<VerifiedArtifact, ArtifactError>;
type Flight = Shared<BoxFuture<'static, Fetched>>;

/// The fetches under way. Bounded by the callers waiting for them: each entry
/// has at least one.
#[derive(Default)]
pub(crate) struct Flights {
    /// Held for a moment to find, add or remove an entry; never across an await.
    flights: Mutex<HashMap<ArtifactSource, WeakShared<BoxFuture<'static, Fetched>>>>,
}

/// One caller's place on a flight. The last to leave clears the entry.
struct Seat<'a> {
    flights: &'a Flights,
    source: &'a ArtifactSource,
}

impl Flights {
    /// Waits for the fetch of `source` that is under way, or for `fetch`, which
    /// is started. A fetch that is done is joined by nobody.
    pub(crate) async fn join(
        &self,
        source: &ArtifactSource,
        fetch: impl Future<Output = Fetched> + Send + 'static,
    ) -> Fetched {
        // Dropped after the flight, of which it then looks whether others are on it.
        let _seat = Seat { flights: self, source };
        self.board(source, fetch).await
    }

    /// How many sources are being fetched.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn board(
        &self,
        source: &ArtifactSource,
        fetch: impl Future<Output = Fetched> + Send + 'static,
    ) -> Flight {
        let mut flights = self.lock();
        flights.get(source).and_then(under_way).unwrap_or_else(|| {
            let flight = in_own_task(fetch).boxed().shared();
            if let Some(weak) = flight.downgrade() {
                flights.insert(source.clone(), weak);
            }
            flight
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ArtifactSource, WeakShared<BoxFuture<'static, Fetched>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // This caller's share in the flight is gone by now, so of any number of
        // callers that leave at once, the last to look finds nobody.
        let mut flights = self.flights.lock();
        if flights.get(self.source).is_some_and(|weak| under_way(weak).is_none()) {
            flights.remove(self.source);
        }
    }
}

/// The flight, if somebody waits for it and it is not done.
fn under_way(weak: &WeakShared<BoxFuture<'static, Fetched>>) -> Option<Flight> {
    weak.upgrade().filter(|flight| flight.peek().is_none())
}

/// Runs a fetch in a task that ends when this future is dropped. Waiters of the
/// shared future are thus woken once, at the end, and not a thousand of them for
/// each piece of a download.
async fn in_own_task(fetch: impl Future<Output = Fetched> + Send + 'static) -> Fetched {
    let mut task = JoinSet::new();
    task.spawn(fetch);
    match task.join_next().await {
        Some(Ok(fetched)) => fetched,
        Some(Err(error)) => Err(ArtifactError::storage("a fetch did not end", error)),
        None => Err(ArtifactError::Storage("a fetch was lost".to_owned())),
    }
}
