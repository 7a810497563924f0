//! Outgoing HTTP requests: fetches of artifacts, callbacks, and the requests of guests.
//!
//! All three go to a URL that a stranger chose, so all three have the same risk: the
//! URL may point into the operator's own network. In reading order: [`parse_url`]
//! reads the URL's text; [`is_public`] says which addresses a stranger may reach;
//! [`Resolver`] turns names into addresses and drops the forbidden ones; [`Outbound`]
//! is the client.
//!
//! **Invariant:** no request leaves the process but through [`Outbound`], and no
//! connection is made to an address that was not checked after its name was resolved.
//! No other crate of a host imports an HTTP client library. (The crate `client` is the
//! other side: it calls the host that its user names.) This crate knows nothing of
//! artifacts, executions or guests.

// In reading order: what a caller sees, then how a request is checked and sent.
mod error;
mod url_rules;

mod address;
mod client;
mod resolver;

pub use address::is_public;
pub use client::{Outbound, Response};
pub use error::{InvalidUrl, OutboundError};
pub use resolver::{Lookup, Resolver};
pub use url_rules::{URL_MAX_BYTES, check_redirect, check_text, parse_url};
