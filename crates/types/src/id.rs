//! Ids: short ASCII texts that sort by the time at which they were made.
//!
//! An id that the host makes is a prefix and 26 characters of Crockford base 32: 48 bits
//! of milliseconds and 80 random bits, the layout of a ULID
//! (<https://github.com/ulid/spec>). A client may supply its own execution id, so an id
//! is kept as text and not as bits.

use std::fmt;
use std::sync::{Arc, LazyLock};

/// The longest id that a client may supply, in bytes. Long enough for a UUID or a trace
/// id with a prefix, short enough for a log line and a database key.
const ID_MAX_BYTES: usize = 128;

/// The text cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {ID_MAX_BYTES} characters, each a letter, a digit or one of . _ : -")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes an id that sorts by `unix_ms`, the milliseconds since 1970. The id
            /// uses the low 80 bits of `random`.
            pub fn from_parts(unix_ms: u64, random: u128) -> Self {
                Self(base32(*$prefix, unix_ms, random))
            }

            /// Reads an id that a client supplied or a store kept.
            ///
            /// # Errors
            /// When the text is empty, longer than 128 bytes, or has a
            /// character other than a letter, a digit or one of `. _ : -`.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

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

id!(
    /// The id of an execution: one call of one function, with all its attempts. The host
    /// makes it, or the client supplies it.
    ExecutionId,
    b"exec-"
);
id!(
    /// The id of a task: a named, versioned artifact with its policy.
    TaskId,
    b"task-"
);
id!(
    /// The id of an instance of a task's code. An instance that serves several calls keeps
    /// its id.
    InstanceId,
    b"inst-"
);
id!(
    /// The id of the owner of tasks and executions. Every look-up needs one.
    TenantId,
    b"tent-"
);

impl Default for TenantId {
    /// The tenant of every call on a host without configured identities.
    fn default() -> Self {
        static DEFAULT: LazyLock<TenantId> = LazyLock::new(|| TenantId("default".into()));
        DEFAULT.clone()
    }
}

fn check(text: &str) -> Result<(), InvalidId> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    let is_id = !text.is_empty() && text.len() <= ID_MAX_BYTES && text.bytes().all(plain);
    if is_id { Ok(()) } else { Err(InvalidId) }
}

/// Makes the text of an id with one allocation: a prefix of 5 bytes, 10 digits of time
/// and 16 random digits.
fn base32(prefix: [u8; 5], unix_ms: u64, random: u128) -> Arc<str> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = (u128::from(unix_ms) << 80) | (random & ((1 << 80) - 1));
    let mut text = [0_u8; 31];
    let (head, tail) = text.split_at_mut(5);
    head.copy_from_slice(&prefix);
    for (i, byte) in tail.iter_mut().enumerate() {
        let digit = (bits >> (125 - 5 * i)) as usize & 31;
        let Some(digit) = DIGITS.get(digit) else { unreachable!("5 bits are below 32") };
        *byte = *digit;
    }
    let Ok(text) = std::str::from_utf8(&text) else { unreachable!("prefix and digits are ASCII") };
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_sort_by_time_and_parse() {
        let early = ExecutionId::from_parts(1_000, u128::MAX);
        let late = ExecutionId::from_parts(1_001, 0);
        assert!(early < late);
        assert_eq!(early.as_str(), "exec-00000000z8zzzzzzzzzzzzzzzz");
        assert_eq!(ExecutionId::parse(early.as_str()), Ok(early));
    }

    #[test]
    fn refuses_characters_that_do_not_fit_a_path_or_a_log_line() {
        for text in ["", "a b", "a/b", "a\nb", "ü", &"x".repeat(129)] {
            assert_eq!(TaskId::parse(text), Err(InvalidId), "{text:?}");
        }
    }
}
