//! What the engine's guests are offered beyond WASI, over the artifact store's way
//! out and the execution layer's file of values.

use crate::runtime::values_of;
use http_body_util::BodyExt as _;
use pilum_call::{HttpBody, RevisionKey};
use pilum_engine::{KeyValue, KeyValueError, Running, SendError, SendRequest, Sending};
use pilum_execution::KeyValues;
use pilum_outbound::{Outbound, OutboundError};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests of all guests that may be under way at once.
const REQUESTS_AT_ONCE: usize = 256;

/// Sends guests' requests under the rules for addresses.
pub(crate) struct Requests {
    outbound: Arc<Outbound>,
    /// Turns to have a request under way, its answer's body included: each holds a
    /// socket, and a thread while its name is resolved. Never closed.
    turns: Arc<Semaphore>,
}

impl Requests {
    /// Over this way out.
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self { outbound: Arc::new(outbound), turns: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)) }
    }
}

impl SendRequest for Requests {
    fn send(&self, request: http::Request<HttpBody>) -> Sending {
        let outbound = Arc::clone(&self.outbound);
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else {
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
            let held = move |frame| {
                // Held for as long as the body is.
                let _ = &turn;
                frame
            };
            Ok(answered.map(|body| body.map_err(Into::into).map_frame(held).boxed_unsync()))
        })
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

/// Keeps guests' values.
#[derive(Debug)]
pub(crate) struct Values(KeyValues);

impl Values {
    /// In this file.
    pub(crate) fn new(values: KeyValues) -> Self {
        Self(values)
    }
}

fn told<T>(
    running: impl Future<Output = Result<T, pilum_execution::KeyValueError>> + Send + 'static,
) -> Running<T> {
    Box::pin(async move { running.await.map_err(|error| KeyValueError(error.to_string())) })
}

impl KeyValue for Values {
    fn get(&self, owner: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> Running<Vec<Option<Vec<u8>>>> {
        let values = self.0.clone();
        told(async move { values.get(values_of(&owner.tenant, &owner.task), bucket, keys).await })
    }

    fn set(&self, owner: RevisionKey, bucket: Arc<str>, pairs: Vec<(String, Vec<u8>)>) -> Running<()> {
        let values = self.0.clone();
        told(async move { values.set(values_of(&owner.tenant, &owner.task), bucket, pairs).await })
    }

    fn delete(&self, owner: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> Running<()> {
        let values = self.0.clone();
        told(async move { values.delete(values_of(&owner.tenant, &owner.task), bucket, keys).await })
    }

    fn keys(&self, owner: RevisionKey, bucket: Arc<str>, after: u64) -> Running<(Vec<String>, Option<u64>)> {
        let values = self.0.clone();
        told(async move { values.keys(values_of(&owner.tenant, &owner.task), bucket, after).await })
    }

    fn increment(&self, owner: RevisionKey, bucket: Arc<str>, key: String, delta: u64) -> Running<u64> {
        let values = self.0.clone();
        told(async move { values.increment(values_of(&owner.tenant, &owner.task), bucket, key, delta).await })
    }
}
