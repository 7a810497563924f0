//! Receives a guest's log lines while the guest writes them.

use pilum_types::LogLine;
use std::fmt;
use std::sync::Arc;

/// Receives each log line as soon as the guest has written it. It is called on the
/// thread that runs the guest, so it must not block.
#[derive(Clone)]
pub struct LogSink(Arc<dyn Fn(&LogLine) + Send + Sync>);

impl LogSink {
    /// A sink that calls `receive` for each line.
    pub fn new(receive: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Passes a line on.
    pub fn line(&self, line: &LogLine) {
        (self.0)(line);
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}
