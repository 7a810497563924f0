//! Every bound of the two listeners. [`GatewayLimits`] has the bounds that the program
//! that serves can set; the others are constants, each with its reason.

use pilum_execution::Settings;
use pilum_proto::{REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES};
use std::time::Duration;

/// The bounds of the two listeners. The program that calls [`crate::serve`] sets them.
#[derive(Debug, Clone)]
pub struct GatewayLimits {
    /// How many connections may be open at once on each listener. Each costs a file
    /// descriptor and some tens of KiB, so this must be well below the process's limit
    /// of descriptors.
    pub connections_max: usize,
    /// How long a new client may take to complete its handshake: to send the HTTP/2
    /// preface and settings, or the first byte of an HTTP/1 request.
    pub handshake_timeout: Duration,
    /// How many calls may be open at once on one gRPC connection.
    pub streams_max_per_connection: u32,
    /// How often a gRPC connection is pinged.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping may take before the connection is closed.
    pub keepalive_timeout: Duration,
    /// How long a gRPC connection lives before the host asks its client to make a new
    /// one, so that load spreads again and no connection holds its resources for ever.
    pub connection_age_max: Duration,
    /// The longest request message, in bytes.
    pub request_max_bytes: usize,
    /// How many bytes of incomplete request messages all gRPC connections together may
    /// hold. A request that would exceed this gets RESOURCE_EXHAUSTED.
    pub request_bytes_in_flight_max: usize,
    /// The longest response message, in bytes.
    pub response_max_bytes: usize,
    /// How long running calls may take to end after the shutdown began.
    pub drain_max: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            handshake_timeout: Duration::from_secs(5),
            // Twice the default number of synchronous slots: one client can fill all
            // slots and have as many more calls waiting.
            streams_max_per_connection: 256,
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connection_age_max: Duration::from_secs(30 * 60),
            request_max_bytes: REQUEST_MAX_BYTES,
            // 32 of the longest requests, or thousands of typical ones.
            request_bytes_in_flight_max: 32 * REQUEST_MAX_BYTES,
            response_max_bytes: RESPONSE_MAX_BYTES,
            drain_max: Duration::from_secs(30),
        }
    }
}

impl GatewayLimits {
    /// How many streams a client may reset before the server has handled them. A client
    /// may cancel every call it has open; a client that opens and resets streams without
    /// end loses its connection.
    pub(crate) fn pending_resets_max(&self) -> usize {
        self.streams_max_per_connection as usize
    }
}

/// How many streams of one connection the server may reset because of the client's
/// protocol errors. A correct client causes none.
pub(crate) const LOCAL_ERROR_RESETS_MAX: usize = 64;

/// All headers of a gRPC request, in bytes. Our client sends a few hundred bytes, so
/// there is room for a token and tracing. This also bounds what an endless sequence of
/// CONTINUATION frames can hold.
pub(crate) const HEADER_LIST_MAX_BYTES: u32 = 16 * 1024;

/// The longest HTTP/2 frame the host accepts, in bytes: the protocol's default, so that
/// one large message cannot delay the other calls of its connection.
pub(crate) const FRAME_MAX_BYTES: u32 = 16 * 1024;

/// The longest request message of `pilum.v1.HostService`, in bytes: a policy, or a chunk
/// of an artifact.
pub(crate) const HOST_REQUEST_MAX_BYTES: usize = 1 << 20;

/// The longest request message of the health or the reflection service, in bytes. Such a
/// request holds little more than a name.
pub(crate) const SMALL_REQUEST_MAX_BYTES: usize = 64 * 1024;

/// How long a gRPC request message may take to come in, counted from the first pause of
/// its sender. The longest message takes about this long at 2 Mbit/s; a slower sender
/// would hold memory for too long.
pub(crate) const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a TCP peer is silent before the kernel probes it. Together with the two
/// bounds below, a peer that vanished loses its connection within two minutes.
pub(crate) const TCP_KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long the kernel waits between two probes.
pub(crate) const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many probes without an answer close the connection.
pub(crate) const TCP_KEEPALIVE_PROBES: u32 = 4;

/// How long the accept loop pauses after an error such as too many open files, so that
/// it does not use a processor for nothing while the error lasts.
pub(crate) const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(50);

/// How long a new connection waits for the permit of the connection that was evicted for
/// it. The evicted task needs only to be polled once.
pub(crate) const EVICTION_WAIT: Duration = Duration::from_secs(1);

/// How long connections may take to close after all calls have ended. A response on its
/// way arrives, and a client that never closes its connection does not delay the exit.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// How long a request may take beyond its wait for a slot and its function's time: for
/// fetching and compiling the code, and for sending both messages.
const REQUEST_MARGIN: Duration = Duration::from_secs(60);

/// The longest time a correct gRPC request can take; the server ends a longer one.
pub(crate) fn request_deadline(settings: &Settings) -> Duration {
    let sync = &settings.sync;
    let retries = if sync.enable_retries { settings.asynchronous.max_retries } else { 0 };
    sync.max_timeout
        .saturating_mul(retries.saturating_add(1))
        .saturating_add(sync.slot_wait)
        .saturating_add(REQUEST_MARGIN)
}

/// The longest head of an HTTP/1 request, in bytes.
pub(crate) const HTTP_HEAD_MAX_BYTES: usize = 16 * 1024;
/// How many headers an HTTP/1 request may have.
pub(crate) const HTTP_HEADERS_MAX: usize = 64;
/// How long the head of an HTTP/1 request may take, and how long a connection may be
/// idle between two requests.
pub(crate) const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest body of an HTTP/1 request to one of the host's own routes, in bytes. No
/// such route reads a body.
pub(crate) const HTTP_BODY_MAX_BYTES: usize = 64 * 1024;
/// The longest body of a request to an http handler, in bytes. The body streams and is
/// not held in memory, so this bounds only how much one request may send.
pub(crate) const FUNCTION_BODY_MAX_BYTES: usize = 1 << 30;
/// How long the body of a request to an http handler may pause.
pub(crate) const FUNCTION_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one of the host's own HTTP routes may take. Each reads a record or a few
/// counters.
pub(crate) const HTTP_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an HTTP connection lives before it takes no new request.
pub(crate) const HTTP_CONNECTION_AGE_MAX: Duration = Duration::from_secs(5 * 60);
