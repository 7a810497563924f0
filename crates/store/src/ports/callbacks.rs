//! Callbacks: terminal statuses that are to be delivered.

use crate::{Execution, StoreError};
use std::sync::Arc;
use std::time::SystemTime;

/// Stores callbacks until they are delivered or given up. A callback is due from the
/// moment its execution ends.
pub trait CallbackStore: Send + Sync + 'static {
    /// Takes up to `limit` due callbacks for delivery. The caller answers each of them
    /// with one of the next two methods. A callback without an answer becomes due again
    /// when the process starts again.
    fn due_callbacks(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<DueCallbacks, StoreError>> + Send;

    /// Removes a callback: it was delivered, or given up.
    fn remove_callback(&self, number: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a callback that was tried `tries` times due again at `at`.
    fn postpone_callback(
        &self,
        number: u64,
        tries: u32,
        at: SystemTime,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A terminal status that is to be delivered to a URL.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The store's own number of the execution.
    pub number: u64,
    /// The execution, which has ended.
    pub execution: Arc<Execution>,
    /// The URL.
    pub url: Arc<str>,
    /// How often delivery was tried before.
    pub tries: u32,
}

/// The answer to [`CallbackStore::due_callbacks`].
#[derive(Debug, Default)]
pub struct DueCallbacks {
    /// The callbacks that the caller must deliver now.
    pub callbacks: Vec<Callback>,
    /// When the next callback becomes due.
    pub next_due: Option<SystemTime>,
}
