//! Runs one call.
//!
//! `bind` fits a call to its function; `run` gives it an instance and runs it within
//! its limits; `handler` calls an http handler, and `response_body` streams what the
//! handler answers; `failure` says what the end of a guest means.

pub(crate) mod bind;
pub(crate) mod failure;
pub(crate) mod handler;
pub(crate) mod response_body;
pub(crate) mod run;
