//! Every bound of the two listeners. What an operator may want to move is a
//! field of [`GatewayLimits`]; the rest is a constant with its reason.

use pilum_execution::Settings;
use pilum_proto::{REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES};
use std::time::Duration;

/// What the listeners bear.
#[derive(Debug, Clone)]
pub struct GatewayLimits {
    /// Connections open at once, on each listener. Each costs a file descriptor
    /// and some tens of KiB, so keep it well below the process's descriptor limit.
    pub connections_max: usize,
    /// How long a new connection may take until it has said something: the
    /// HTTP/2 preface and settings, or the first byte of an HTTP/1 request.
    pub handshake_timeout: Duration,
    /// Calls open at once on one gRPC connection.
    pub streams_max_per_connection: u32,
    /// How often a gRPC connection is pinged.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping may take before the connection is closed.
    pub keepalive_timeout: Duration,
    /// How long a gRPC connection lives before its client is asked to make a
    /// new one, so that load spreads again and nothing is held for ever.
    pub connection_age_max: Duration,
    /// The longest request message, in bytes.
    pub request_max_bytes: usize,
    /// Request bytes that have come in and are not yet whole messages, of all
    /// gRPC connections together. What would exceed it is refused.
    pub request_bytes_in_flight_max: usize,
    /// The longest response message, in bytes.
    pub response_max_bytes: usize,
    /// On shutdown, how long calls under way may take to end.
    pub drain_max: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            handshake_timeout: Duration::from_secs(5),
            // Twice the default number of synchronous slots: one client can
            // fill the host and have as many calls waiting.
            streams_max_per_connection: 256,
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connection_age_max: Duration::from_secs(30 * 60),
            request_max_bytes: REQUEST_MAX_BYTES,
            // 32 of the longest requests, or thousands of usual ones.
            request_bytes_in_flight_max: 32 * REQUEST_MAX_BYTES,
            response_max_bytes: RESPONSE_MAX_BYTES,
            drain_max: Duration::from_secs(30),
        }
    }
}

impl GatewayLimits {
    /// How many streams a client may have reset before the server saw them. A
    /// client that gives up every call it may have open does no harm; one that
    /// opens and resets without end loses its connection.
    pub(crate) fn pending_resets_max(&self) -> usize {
        self.streams_max_per_connection as usize
    }
}

/// How many streams the server may have reset because of a client's protocol
/// errors, in a connection's life. A correct client causes none.
pub(crate) const LOCAL_ERROR_RESETS_MAX: usize = 64;

/// All headers of a gRPC request, in bytes. Ours are a few hundred; room for a
/// token and tracing. Bounds what never-ending CONTINUATION frames can hold.
pub(crate) const HEADER_LIST_MAX_BYTES: u32 = 16 * 1024;

/// The longest HTTP/2 frame taken, in bytes: the protocol's default, so that one
/// large message cannot hold up the other calls of its connection.
pub(crate) const FRAME_MAX_BYTES: u32 = 16 * 1024;

/// A request message of the host's own service, in bytes: a policy, or a piece of
/// an artifact.
pub(crate) const HOST_REQUEST_MAX_BYTES: usize = 1 << 20;

/// A request message of the health or reflection service, in bytes: a name.
pub(crate) const SMALL_REQUEST_MAX_BYTES: usize = 64 * 1024;

/// How long a request message may take to come in once its sender pauses: the
/// longest one at some 2 Mbit/s. A slower sender holds memory for nothing.
pub(crate) const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// When the kernel first probes a silent TCP peer, how often again, and how many
/// unanswered probes close it: a vanished peer is gone within two minutes.
pub(crate) const TCP_KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// See [`TCP_KEEPALIVE_AFTER`].
pub(crate) const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// See [`TCP_KEEPALIVE_AFTER`].
pub(crate) const TCP_KEEPALIVE_PROBES: u32 = 4;

/// How long the accept loop rests after an error such as too many open files,
/// so that it does not spin while the condition lasts.
pub(crate) const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(50);

/// How long an accepted connection waits for the place of one evicted for it.
pub(crate) const EVICTION_WAIT: Duration = Duration::from_secs(1);

/// After calls have drained, how long connections may take to close: a response
/// on its way arrives, a client that never closes does not hold up the exit.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// What a request may take beyond its slot wait and its function's time:
/// fetching and compiling the code, and sending both messages.
const REQUEST_MARGIN: Duration = Duration::from_secs(60);

/// The longest a gRPC request can rightly take.
pub(crate) fn request_deadline(settings: &Settings) -> Duration {
    let sync = &settings.sync;
    let retries = if sync.enable_retries { settings.asynchronous.max_retries } else { 0 };
    sync.max_timeout
        .saturating_mul(retries.saturating_add(1))
        .saturating_add(sync.slot_wait)
        .saturating_add(REQUEST_MARGIN)
}

/// The head of an HTTP/1 request, in bytes.
pub(crate) const HTTP_HEAD_MAX_BYTES: usize = 16 * 1024;
/// Headers of an HTTP/1 request.
pub(crate) const HTTP_HEADERS_MAX: usize = 64;
/// How long the head of an HTTP/1 request may take, and how long a connection
/// may stay idle between two.
pub(crate) const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The body of an HTTP/1 request to a route of the host's own, in bytes. None reads one.
pub(crate) const HTTP_BODY_MAX_BYTES: usize = 64 * 1024;
/// The body of a request to a function, in bytes. It streams and is not held, so this
/// only bounds how much one request may bring in.
pub(crate) const FUNCTION_BODY_MAX_BYTES: usize = 1 << 30;
/// How long the body of a request to a function may pause.
pub(crate) const FUNCTION_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an HTTP handler may take. Each reads a record or a few counters.
pub(crate) const HTTP_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an HTTP connection lives, a response read slowly included.
pub(crate) const HTTP_CONNECTION_AGE_MAX: Duration = Duration::from_secs(5 * 60);
