//! What the host offers to guests beyond WASI.

use crate::guest::imports::key_value::port::KeyValue;
use crate::guest::outgoing::SendRequest;
use std::sync::Arc;

/// The ports behind which the host implements what guests are granted.
#[derive(Debug, Default)]
pub struct Services {
    /// Sends guests' requests. `None` denies every request.
    pub send_request: Option<Arc<dyn SendRequest>>,
    /// Stores guests' values. `None` denies access to every bucket.
    pub key_value: Option<Arc<dyn KeyValue>>,
}
