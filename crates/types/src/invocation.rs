//! What a caller supplies: where the code is, and the parameters of the call.

use crate::{Digest, Value};

/// Where an artifact is, and which bytes it must have. The caller sets both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArtifactSource {
    /// A `file:`, `http:` or `https:` URL, at most 2,048 bytes, or the location that an
    /// upload returned.
    pub location: String,
    /// The digest that the bytes must have. With `None`, the host takes the bytes that it
    /// finds and records their digest; the operator must allow that.
    pub checksum: Option<Digest>,
}

/// One parameter of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name, or empty to match by position. In one call, all parameters have a name or
    /// none has.
    pub name: String,
    /// The type that the caller expects, as WIT writes it, or empty. If it is given, it
    /// must be the type of the function's parameter.
    pub type_name: String,
    /// The value, before it has the type of the function's parameter.
    pub value: Value,
}
