//! Values that functions store between their calls (`wasi:keyvalue`). Executions do not
//! use this port.

use std::sync::Arc;

/// Stores values by namespace, bucket and key. A namespace belongs to one task of one
/// tenant; its bound in bytes is the store's own setting.
pub trait KeyValueStore: Send + Sync + 'static {
    /// The values of `keys`, in their order; `None` for a key that is not there.
    fn get(
        &self,
        namespace: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Option<Vec<u8>>>, KeyValueError>> + Send;

    /// Sets all of these keys, or none of them.
    fn set(
        &self,
        namespace: String,
        bucket: Arc<str>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> impl Future<Output = Result<(), KeyValueError>> + Send;

    /// Deletes keys. A key that is not there is no error.
    fn delete(
        &self,
        namespace: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<(), KeyValueError>> + Send;

    /// A page of the keys of a bucket; `after` is 0 or the `next` of the page before.
    fn keys(
        &self,
        namespace: String,
        bucket: Arc<str>,
        after: u64,
    ) -> impl Future<Output = Result<KeyPage, KeyValueError>> + Send;

    /// Adds `delta` to a whole number, and returns the sum. The number is stored as
    /// decimal text and begins at 0.
    fn increment(
        &self,
        namespace: String,
        bucket: Arc<str>,
        key: String,
        delta: u64,
    ) -> impl Future<Output = Result<u64, KeyValueError>> + Send;

    /// Removes everything in a namespace.
    fn remove_namespace(&self, namespace: String) -> impl Future<Output = Result<(), KeyValueError>> + Send;
}

/// A page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<u64>,
}

/// Why an operation on values failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyValueError {
    /// A key or a value is too long.
    #[error("a {what} has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// `key` or `value`.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// One operation names too many keys.
    #[error("{keys} keys were named at once, at most {max} are allowed")]
    TooManyKeys {
        /// How many.
        keys: usize,
        /// The bound.
        max: usize,
    },
    /// One operation reads too many bytes.
    #[error("the values have more than {max_bytes} bytes together; read them in several calls")]
    TooMuch {
        /// The bound.
        max_bytes: usize,
    },
    /// The namespace holds as many bytes as it may.
    #[error("the values of the task would exceed {max_bytes} bytes, which is their bound; delete some first")]
    Full {
        /// The bound.
        max_bytes: u64,
    },
    /// The stored value is not a whole number, or the sum is too large.
    #[error("the value or the sum is not a whole number of 64 bits")]
    NotANumber,
    /// The storage failed. The text is for the host's log.
    #[error("the host cannot store values now")]
    Failed(String),
}
