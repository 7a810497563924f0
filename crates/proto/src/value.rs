//! Values between the domain and `google.protobuf.Any`.
//!
//! The wire has no integers inside a `google.protobuf.Value`, only doubles. A
//! whole number that a double cannot hold exactly therefore travels as a decimal
//! string there, as in proto3 JSON, and so do NaN and the infinities.

mod read;
mod write;

pub use read::{ReadError, output_from_any, value_from_any};
pub use write::{TooDeep, output_to_any, parameter_to_any, raw_to_any};

/// How many lists and objects may stand inside each other. An object costs
/// three nested protobuf messages and implementations commonly refuse the
/// hundredth, so one level more could not be read back everywhere.
pub const DEPTH_MAX: usize = 32;

/// The google.protobuf messages that a parameter's `Any` may hold.
pub const ACCEPTED: [&str; 12] = [
    "Value",
    "Struct",
    "ListValue",
    "StringValue",
    "BytesValue",
    "BoolValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "FloatValue",
    "DoubleValue",
];

/// What stands before a message's name in the `Any`s made here.
const TYPE_URL_PREFIX: &str = "type.googleapis.com/google.protobuf.";

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
