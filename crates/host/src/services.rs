//! Implements what guests may use beyond WASI: requests to other servers and stored
//! values.

use crate::runtime::values_of;
use http_body_util::BodyExt as _;
use pilum_call::{HttpBody, RevisionKey};
use pilum_engine::{KeyValue, KeyValueError, KeyValueFuture, SendError, SendFuture, SendRequest};
use pilum_outbound::{Outbound, OutboundError};
use pilum_store::{KeyPage, KeyValueStore};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests of all guests together that may be under way at once. Each holds a socket.
const REQUESTS_AT_ONCE: usize = 256;

/// Sends guests' requests, within the rules for addresses.
pub(crate) struct Requests {
    outbound: Arc<Outbound>,
    /// One permit for each request under way, until the body of its response has been
    /// read. A request holds a socket, and a thread while its name is resolved. Never
    /// closed.
    permits: Arc<Semaphore>,
}

impl Requests {
    /// Sends through `outbound`.
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self { outbound: Arc::new(outbound), permits: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)) }
    }
}

impl SendRequest for Requests {
    fn send(&self, request: http::Request<HttpBody>) -> SendFuture {
        let outbound = Arc::clone(&self.outbound);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Box::pin(std::future::ready(Err(SendError::TooMany)));
        };
        Box::pin(async move {
            let answered = outbound.send(request).await.map_err(|error| match error {
                OutboundError::InvalidUrl(_) | OutboundError::AddressNotPublic { .. } => {
                    SendError::AddressNotAllowed
                }
                OutboundError::NotConnected(_) => SendError::Refused,
                OutboundError::Timeout(_) => SendError::Timeout,
                OutboundError::Broken(_) | OutboundError::Status(_) | OutboundError::Setup(_) => {
                    SendError::Broken
                }
            })?;
            let with_permit = move |frame| {
                // The closure owns the permit, so the permit lives as long as the body.
                let _ = &permit;
                frame
            };
            Ok(answered.map(|body| body.map_err(Into::into).map_frame(with_permit).boxed_unsync()))
        })
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

/// Stores guests' values.
#[derive(Debug)]
pub(crate) struct Values<K>(K);

impl<K: KeyValueStore + Clone> Values<K> {
    /// Stores them in `values`.
    pub(crate) fn new(values: K) -> Self {
        Self(values)
    }

    /// Runs an operation in the namespace of a task.
    fn with<T, F>(
        &self,
        revision: &RevisionKey,
        operation: impl FnOnce(K, String) -> F + Send + 'static,
    ) -> KeyValueFuture<T>
    where
        F: Future<Output = Result<T, pilum_store::KeyValueError>> + Send,
        T: Send,
    {
        let (values, namespace) = (self.0.clone(), values_of(&revision.tenant, &revision.task));
        Box::pin(async move { operation(values, namespace).await.map_err(map_kv_error) })
    }
}

impl<K: KeyValueStore + Clone + fmt::Debug> KeyValue for Values<K> {
    fn get(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> KeyValueFuture<Vec<Option<Vec<u8>>>> {
        self.with(&revision, |values, namespace| async move { values.get(namespace, bucket, keys).await })
    }

    fn set(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> KeyValueFuture<()> {
        self.with(&revision, |values, namespace| async move { values.set(namespace, bucket, pairs).await })
    }

    fn delete(&self, revision: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> KeyValueFuture<()> {
        self.with(&revision, |values, namespace| async move { values.delete(namespace, bucket, keys).await })
    }

    fn keys(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        after: u64,
    ) -> KeyValueFuture<(Vec<String>, Option<u64>)> {
        self.with(&revision, move |values, namespace| async move {
            let KeyPage { keys, next } = values.keys(namespace, bucket, after).await?;
            Ok((keys, next))
        })
    }

    fn increment(
        &self,
        revision: RevisionKey,
        bucket: Arc<str>,
        key: String,
        delta: u64,
    ) -> KeyValueFuture<u64> {
        self.with(&revision, move |values, namespace| async move {
            values.increment(namespace, bucket, key, delta).await
        })
    }
}

/// The guest gets the error's text.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn map_kv_error(error: pilum_store::KeyValueError) -> KeyValueError {
    KeyValueError(error.to_string())
}
