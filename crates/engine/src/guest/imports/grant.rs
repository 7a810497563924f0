//! Which imports take a grant by the task's owner.

use pilum_types::Grants;

/// What an import needs its task to be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    Config,
    KeyValue,
    Logging,
}

/// The package of each, and how a manifest grants it.
const GRANTS: [(&str, Grant, &str); 3] = [
    ("wasi:config/", Grant::Config, "[grants.config]"),
    ("wasi:keyvalue/", Grant::KeyValue, "[grants] key_value = true"),
    ("wasi:logging/", Grant::Logging, "[grants] logging = true"),
];

/// The grant that an import of this name takes; `None` for what everybody has.
///
/// Requests to the outside are checked one by one as they leave: much code links
/// them that never sends any.
pub(crate) fn grant_of(import: &str) -> Option<Grant> {
    GRANTS.iter().find(|(package, ..)| import.starts_with(package)).map(|(_, grant, _)| *grant)
}

/// An import that is missing, with how it would be granted.
pub(crate) fn missing_grant(import: &str) -> String {
    let how = GRANTS.iter().find(|(package, ..)| import.starts_with(package)).map_or("", |(.., how)| how);
    format!("{import} (granted by `{how}` in the task's manifest)")
}

impl Grant {
    /// Whether it is among these.
    pub(crate) fn is_given(self, grants: &Grants) -> bool {
        match self {
            Self::Config => grants.config.is_some(),
            Self::KeyValue => grants.key_value,
            Self::Logging => grants.logging,
        }
    }
}
