//! Numbers as the wire's signed integers.

/// A count as the wire's `int32`. A larger count saturates.
pub(super) fn count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// A size or a time as the wire's `int64`. A larger number saturates.
pub(super) fn long(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
