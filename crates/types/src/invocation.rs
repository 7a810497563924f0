//! What a caller hands over: where the code is, and what to call it with.

use crate::{Digest, Value};

/// Where an artifact is and which bytes are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArtifactSource {
    /// `file:`, `http:` or `https:` and what follows.
    pub location: String,
    /// The digest the bytes must have; `None` takes and pins whatever is found,
    /// where the operator allows that.
    pub checksum: Option<Digest>,
}

/// One parameter of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, or empty to match by position (all or none of a call's).
    pub name: String,
    /// The type the caller believes it has, or empty. Checked when given.
    pub type_name: String,
    /// The value.
    pub value: Value,
}
