//! Places at which a test has the process die.
//!
//! `PILUMTEST_FAIL_POINT=name:n` in the environment ends the process, without a word
//! or any clean-up, the n-th time it comes by the place called so. Only in builds
//! with debug assertions; in others there is nothing here.

/// Comes by the place called `name`.
#[cfg(debug_assertions)]
pub(crate) fn reach(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLACE: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("PILUMTEST_FAIL_POINT").ok()?;
        let (name, times) = text.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if let Some((place, times)) = &*PLACE
        && place == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn reach(_: &str) {}
