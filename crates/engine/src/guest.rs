//! What surrounds one guest while it runs.
//!
//! `state` is the data of its store; `env` is what it sees of the outside;
//! `limiter` counts its memory; `output` and `chunks` take what it writes;
//! `outgoing` sends its requests; `services` are the ports through which the host
//! offers all this; `imports` links what takes a grant.

pub(crate) mod chunks;
pub(crate) mod env;
pub(crate) mod imports;
pub(crate) mod limiter;
pub(crate) mod outgoing;
pub(crate) mod output;
pub(crate) mod services;
pub(crate) mod state;
