//! Which google.protobuf messages hold a value, and how deep a value may nest.

/// How many lists and objects may be nested in each other. An object costs three nested
/// protobuf messages, and protobuf implementations commonly reject the hundredth nested
/// message, so some of them could not read a deeper value.
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

/// What precedes a message's name in the type URL of an `Any` that this crate makes.
pub(super) const TYPE_URL_PREFIX: &str = "type.googleapis.com/google.protobuf.";
