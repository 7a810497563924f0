//! Names that people give to tasks and functions.

use std::fmt;
use std::sync::Arc;

/// The longest task name, in bytes: it becomes a path segment and a metric label.
const TASK_NAME_MAX_BYTES: usize = 128;
/// The longest function name, in bytes: room for `namespace:package/interface@version#name`.
const FUNCTION_NAME_MAX_BYTES: usize = 256;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text has more bytes than the bound.
    #[error("has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The bound in bytes.
        max: usize,
    },
    /// The text has a character that such a name may not have.
    #[error("has the character {character:?}, allowed are {allowed}")]
    Character {
        /// The first such character.
        character: char,
        /// The allowed characters, in words.
        allowed: &'static str,
    },
}

/// A task's name, unique within its tenant: letters, digits, `.`, `_`, `-`, 1 to 128 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskName(Arc<str>);

/// A function's name as a caller writes it: printable characters without white space, 1 to
/// 256 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

impl TaskName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        check(text, TASK_NAME_MAX_BYTES, plain, "ASCII letters, digits, '.', '_' and '-'")?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FunctionName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let printable = |c: char| !c.is_control() && !c.is_whitespace();
        check(text, FUNCTION_NAME_MAX_BYTES, printable, "printable characters without white space")?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(
    text: &str,
    max: usize,
    allows: impl Fn(char) -> bool,
    allowed: &'static str,
) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > max {
        return Err(InvalidName::TooLong { bytes: text.len(), max });
    }
    match text.chars().find(|c| !allows(*c)) {
        Some(character) => Err(InvalidName::Character { character, allowed }),
        None => Ok(()),
    }
}

macro_rules! shown_as_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shown_as_text!(TaskName);
shown_as_text!(FunctionName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_names() {
        assert!(TaskName::parse("validate-email_v2.1").is_ok());
        for (text, says) in [
            ("", "must not be empty"),
            ("a b", "has the character ' ', allowed are ASCII letters, digits, '.', '_' and '-'"),
            ("a/b", "has the character '/', allowed are ASCII letters, digits, '.', '_' and '-'"),
            ("a\0", "has the character '\\0', allowed are ASCII letters, digits, '.', '_' and '-'"),
            (&"n".repeat(10_000), "has 10000 bytes, at most 128 are allowed"),
        ] {
            assert_eq!(TaskName::parse(text).map_err(|e| e.to_string()), Err(says.to_owned()));
        }
    }

    #[test]
    fn function_names_may_be_qualified() {
        assert!(FunctionName::parse("pilum:examples/emails@0.1.0#validate-email").is_ok());
        assert!(FunctionName::parse("a b").is_err());
        assert!(FunctionName::parse("a\u{7}").is_err());
    }
}
