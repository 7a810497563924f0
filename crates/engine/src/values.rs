//! Converts between the callers' plain values and the values that functions take and
//! return.
//!
//! `matching` puts a call's parameters in the order of the function's own; `lower`
//! fits them to the function's types, reading them through `input`; `lift` reads what
//! a function returned. `command` and `request` make what commands and http handlers
//! take instead, with the help of `json`. `wit` describes wasmtime's types in the
//! words of the domain.

pub(crate) mod command;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod lift;
pub(crate) mod lower;
pub(crate) mod matching;
pub(crate) mod request;
pub(crate) mod wit;
