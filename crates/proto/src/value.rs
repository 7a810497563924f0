//! Converts values between [`pilum_types`] and `google.protobuf.Any`.
//!
//! A `google.protobuf.Value` has no integers, only doubles. A whole number that a double
//! cannot hold exactly is therefore a decimal string there, as in proto3 JSON, and so are
//! NaN and the infinities.

mod messages;
mod read;
mod write;

pub use messages::{ACCEPTED, DEPTH_MAX};
pub use read::{ReadError, output_from_any, value_from_any};
pub use write::{TooDeep, output_to_any, parameter_to_any, raw_to_any};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
