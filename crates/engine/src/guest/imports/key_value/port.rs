//! The port behind which the host stores guests' values.

use futures::future::BoxFuture;
use pilum_call::RevisionKey;
use std::fmt;
use std::sync::Arc;

/// Stores values by task, bucket and key. A task can reach only its own values, which
/// all of its revisions share.
pub trait KeyValue: fmt::Debug + Send + Sync {
    /// The values of keys, `None` for each key that has none.
    fn get(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> KeyValueFuture<Vec<Option<Vec<u8>>>>;

    /// Sets keys: all of them, or none if there is an error.
    fn set(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> KeyValueFuture<()>;

    /// Deletes keys. A key that has no value is no error.
    fn delete(&self, revision: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> KeyValueFuture<()>;

    /// One page of keys, from the cursor `after` on (0 for the first page), and the
    /// cursor of the next page if there is one.
    fn keys(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        after: u64,
    ) -> KeyValueFuture<(Vec<String>, Option<u64>)>;

    /// Adds to a number and returns the sum. The number is stored as decimal text, and
    /// a key without a value counts as 0.
    fn increment(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        key: String,
        delta: u64,
    ) -> KeyValueFuture<u64>;
}

/// An operation of the port that is under way.
pub type KeyValueFuture<T> = BoxFuture<'static, Result<T, KeyValueError>>;

/// Why an operation failed. The guest gets this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyValueError(pub String);
