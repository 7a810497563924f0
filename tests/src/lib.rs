//! Code that the tests share: starting a host, calling it, and the guests.
//!
//! **Invariant:** nothing here uses the host's internal code. The host is started as a
//! process, called over sockets and stopped by signals.

mod calls;
pub mod faults;
mod guests;
mod host;
mod http;
pub mod kill;
mod pilum;
mod script;
mod wait;
pub mod wire;

pub use calls::{Functions, json_of, parameters_of, result_of, value_of};
pub use guests::{digest_of, guest, guest_path};
pub use host::{Host, HostBuilder};
pub use http::get;
pub use pilum::{CommandOutput, Pilum};
pub use script::{Script, wasm};
pub use wait::{ended, idle, resident_bytes, resident_peak_bytes, until};
