//! Places in the code at which a test can end the process.
//!
//! `PILUMTEST_FAIL_POINT=name:n` in the environment aborts the process the n-th time it
//! reaches the fail point of this name: without a message and without any clean-up. Builds
//! without debug assertions have no fail points.

/// Marks the fail point `name`.
#[cfg(debug_assertions)]
pub fn reach(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CONFIGURED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("PILUMTEST_FAIL_POINT").ok()?;
        let (name, times) = text.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);
    if let Some((configured, times)) = &*CONFIGURED
        && configured == name
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        std::process::abort();
    }
}

/// Does nothing in this build.
#[cfg(not(debug_assertions))]
pub fn reach(_: &str) {}
