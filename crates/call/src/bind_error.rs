//! Why a call does not fit its function.

/// Why a function cannot be called as the caller asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The code exports no function of this name.
    #[error("no function {name} is exported; there is: {}", list(.exported))]
    FunctionNotFound {
        /// The name that the caller wrote.
        name: String,
        /// The signatures of the exported functions.
        exported: Vec<String>,
    },
    /// A short name fits several functions.
    #[error("{name} could be any of: {}; write one of these in full", list(.candidates))]
    Ambiguous {
        /// The name that the caller wrote.
        name: String,
        /// The full names that it fits.
        candidates: Vec<String>,
    },
    /// A parameter is missing, unknown, given twice, of the wrong type or out of range.
    #[error("{path}: {reason}")]
    Parameter {
        /// The parameter, with the path inside it: `items[3].price`.
        path: String,
        /// What was expected and what was found.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join("; ") }
}
