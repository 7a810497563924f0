//! Clients that put load on a server and check its answers.

pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod tasks;
pub(crate) mod wire;
