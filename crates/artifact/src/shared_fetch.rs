//! One fetch for any number of simultaneous callers of the same source.
//!
//! A fetch runs in a task of its own, so it does not depend on the caller that started
//! it, and it is aborted when its last caller has gone. moka's `try_get_with` would
//! start again in another caller whenever the first one goes away, and panics when that
//! happens too often, which a hostile caller can arrange.

use crate::{ArtifactError, VerifiedArtifact};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use pilum_types::ArtifactSource;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

type Fetched = Result<VerifiedArtifact, ArtifactError>;
type SharedFetch = Shared<BoxFuture<'static, Fetched>>;
type WeakFetch = WeakShared<BoxFuture<'static, Fetched>>;

/// The fetches under way, by source. Each entry has at least one caller that waits for
/// it, so the number of callers bounds the number of entries.
#[derive(Default)]
pub(crate) struct SharedFetches {
    /// Held for a moment to find, add or remove an entry; never across an await.
    by_source: Mutex<HashMap<ArtifactSource, WeakFetch>>,
}

/// Removes the entry of `source` when its last caller goes.
struct CallerGuard<'a> {
    fetches: &'a SharedFetches,
    source: &'a ArtifactSource,
}

impl SharedFetches {
    /// Waits for the fetch of `source` that is under way. If there is none, starts
    /// `fetch` and waits for it. A caller never joins a fetch that is done.
    pub(crate) async fn join(
        &self,
        source: &ArtifactSource,
        fetch: impl Future<Output = Fetched> + Send + 'static,
    ) -> Fetched {
        // Dropped after this caller's share of the fetch, so that the guard sees whether
        // other callers still have one.
        let _guard = CallerGuard { fetches: self, source };
        self.find_or_start(source, fetch).await
    }

    /// How many sources are being fetched.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn find_or_start(
        &self,
        source: &ArtifactSource,
        fetch: impl Future<Output = Fetched> + Send + 'static,
    ) -> SharedFetch {
        let mut fetches = self.lock();
        fetches.get(source).and_then(under_way).unwrap_or_else(|| {
            let shared = in_own_task(fetch).boxed().shared();
            if let Some(weak) = shared.downgrade() {
                fetches.insert(source.clone(), weak);
            }
            shared
        })
    }

    /// No code panics while it holds the lock with the map in an unfinished state, so a
    /// poisoned lock is safe to use.
    fn lock(&self) -> MutexGuard<'_, HashMap<ArtifactSource, WeakFetch>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallerGuard<'_> {
    fn drop(&mut self) {
        // This caller's share of the fetch is already dropped. When several callers go
        // at once, the last one to look therefore finds no share and removes the entry.
        let mut fetches = self.fetches.lock();
        if fetches.get(self.source).is_some_and(|weak| under_way(weak).is_none()) {
            fetches.remove(self.source);
        }
    }
}

/// The fetch, if a caller waits for it and it is not done.
fn under_way(weak: &WeakFetch) -> Option<SharedFetch> {
    weak.upgrade().filter(|fetch| fetch.peek().is_none())
}

/// Runs a fetch in a task that is aborted when this future is dropped. Thus the callers
/// of the shared future are woken once, at the end, and not for each chunk of a
/// download.
async fn in_own_task(fetch: impl Future<Output = Fetched> + Send + 'static) -> Fetched {
    let mut task = JoinSet::new();
    task.spawn(fetch);
    match task.join_next().await {
        Some(Ok(fetched)) => fetched,
        Some(Err(error)) => Err(ArtifactError::storage("a fetch did not end", error)),
        None => unreachable!("the set has one task, and nothing else joins it"),
    }
}
