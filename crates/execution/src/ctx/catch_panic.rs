//! Converts a panic into an error.

use futures::FutureExt as _;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// Runs `future` to its end or to a panic. The panic's text is logged and returned. This is
/// not an `async fn`, because that would hold `future` twice: as its argument, and while it
/// runs.
pub(crate) fn catch_panic<T>(future: impl Future<Output = T>) -> impl Future<Output = Result<T, String>> {
    // Shared data is behind locks that stay usable after a panic, see `pilum_store::lock`.
    AssertUnwindSafe(future).catch_unwind().map(|ended| {
        ended.map_err(|panic| {
            let text = panic_text(&*panic).to_owned();
            tracing::error!(panic = text, "the host panicked");
            text
        })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
