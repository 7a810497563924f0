//! What the tests share: a host as its users start it, and the guests.
//!
//! **Invariant:** nothing here knows the host's insides. It is started as a
//! process, reached over sockets, and stopped by signals.

mod guests;
mod host;

pub use guests::{digest_of, guest, guest_path};
pub use host::{Host, HostBuilder};
