//! What a guest writes to its standard streams: captured, bounded, escaped.

use bytes::Bytes;
use pilum_call::LogSink;
use pilum_types::{CallLimits, LogLine, LogStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes that a guest may write at once. The guest asks again for the next write, so
/// this bounds what one write holds outside the guest's own memory.
const WRITE_MAX_BYTES: usize = 64 << 10;
/// Longest line of the log, in bytes. A longer line is broken here.
const LINE_MAX_BYTES: usize = 8 << 10;

/// What a kept line takes besides its text, in bytes. It counts against the bound of
/// the log, since a guest could otherwise fill the host's memory with empty lines.
const LINE_COST_BYTES: usize = size_of::<LogLine>();

/// Everything that one call writes. The guest may open a stream several times, so the
/// streams share this. The lock is held for one write and never across an await.
#[derive(Debug, Clone)]
pub(crate) struct Captured(Arc<Mutex<Streams>>);

/// Where a stream's bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Into the result: a command's standard output.
    Result,
    /// Into the log.
    Log(LogStream),
}

/// How much of what a guest writes is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputBounds {
    result_max_bytes: usize,
    log_max_bytes: usize,
}

/// What the guest wrote in one call.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// A command's standard output, cut at its bound.
    pub(crate) result: Vec<u8>,
    /// Whether standard output was cut.
    pub(crate) result_overflowed: bool,
    /// The log's lines.
    pub(crate) log: Vec<LogLine>,
}

/// One of the guest's standard streams.
#[derive(Debug, Clone)]
pub(crate) struct CapturedStream {
    captured: Captured,
    destination: Destination,
}

#[derive(Debug)]
struct Streams {
    result: Vec<u8>,
    result_max_bytes: usize,
    result_overflowed: bool,
    log: Log,
}

#[derive(Debug)]
struct Log {
    lines: Vec<LogLine>,
    /// The beginnings of lines whose ends have not been written yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// What `lines` count against `max_bytes`.
    bytes: usize,
    max_bytes: usize,
    /// Bytes that were written after the log was full.
    dropped_bytes: u64,
    log_sink: Option<LogSink>,
}

impl Captured {
    /// Keeps output within `bounds` and passes log lines to `log_sink`.
    pub(crate) fn new(bounds: OutputBounds, log_sink: Option<LogSink>) -> Self {
        Self(Arc::new(Mutex::new(Streams::new(bounds, log_sink))))
    }

    /// Begins another call in the same store.
    pub(crate) fn begin(&self, bounds: OutputBounds, log_sink: Option<LogSink>) {
        let previous = std::mem::replace(&mut *self.locked(), Streams::new(bounds, log_sink));
        drop(previous);
    }

    /// A stream for the guest to write to.
    pub(crate) fn stream(&self, destination: Destination) -> CapturedStream {
        CapturedStream { captured: self.clone(), destination }
    }

    /// Takes what was written. The caller does so when the guest no longer runs.
    pub(crate) fn take(&self) -> Written {
        let mut streams = self.locked();
        Written {
            result: std::mem::take(&mut streams.result),
            result_overflowed: streams.result_overflowed,
            log: streams.log.take(),
        }
    }

    /// Keeps what the guest wrote, as far as the bounds allow.
    pub(crate) fn write(&self, destination: Destination, bytes: &[u8]) {
        let mut streams = self.locked();
        match destination {
            Destination::Log(stream) => streams.log.write(stream, bytes),
            Destination::Result => {
                let room = streams.result_max_bytes - streams.result.len();
                let (kept, dropped) = bytes.split_at(room.min(bytes.len()));
                streams.result.extend_from_slice(kept);
                streams.result_overflowed |= !dropped.is_empty();
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Streams> {
        // Every write leaves the streams whole, so a poisoned lock is used on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutputBounds {
    /// The bounds of a call with these limits.
    pub(crate) fn of(limits: &CallLimits) -> Self {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { result_max_bytes: bytes(limits.result_max_bytes), log_max_bytes: bytes(limits.log_max_bytes) }
    }
}

impl Streams {
    fn new(bounds: OutputBounds, log_sink: Option<LogSink>) -> Self {
        Self {
            result: Vec::new(),
            result_max_bytes: bounds.result_max_bytes,
            result_overflowed: false,
            log: Log {
                lines: Vec::new(),
                stdout: Vec::new(),
                stderr: Vec::new(),
                bytes: 0,
                max_bytes: bounds.log_max_bytes,
                dropped_bytes: 0,
                log_sink,
            },
        }
    }
}

impl Log {
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        for mut part in bytes.split_inclusive(|byte| *byte == b'\n') {
            while !part.is_empty() {
                let line = self.partial(stream);
                // `end_line` empties a line that has reached this length.
                let (now, rest) = part.split_at(part.len().min(LINE_MAX_BYTES - line.len()));
                line.extend_from_slice(now);
                part = rest;
                if line.ends_with(b"\n") || line.len() >= LINE_MAX_BYTES {
                    self.end_line(stream);
                }
            }
        }
    }

    fn partial(&mut self, stream: LogStream) -> &mut Vec<u8> {
        match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr | LogStream::Host => &mut self.stderr,
        }
    }

    fn end_line(&mut self, stream: LogStream) {
        let line = std::mem::take(self.partial(stream));
        // Once a line has been dropped, no later line is kept: a log with a hole in its
        // middle would mislead.
        if self.dropped_bytes > 0 {
            self.dropped_bytes += line.len() as u64;
            return;
        }
        let text = escaped(&line);
        let cost = text.len() + LINE_COST_BYTES;
        if self.bytes + cost > self.max_bytes {
            self.dropped_bytes += line.len() as u64;
            return;
        }
        self.bytes += cost;
        let line = LogLine { stream, text };
        if let Some(log_sink) = &self.log_sink {
            log_sink.line(&line);
        }
        self.lines.push(line);
    }

    fn take(&mut self) -> Vec<LogLine> {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if !self.partial(stream).is_empty() {
                self.end_line(stream);
            }
        }
        let mut lines = std::mem::take(&mut self.lines);
        if self.dropped_bytes > 0 {
            let text = format!(
                "the log is cut here: it may have {} bytes, {} more were dropped",
                self.max_bytes, self.dropped_bytes
            );
            lines.push(LogLine { stream: LogStream::Host, text });
        }
        lines
    }
}

/// The line's text without its end. Control characters are escaped, so that a guest
/// can neither forge a line nor control a terminal.
fn escaped(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    if !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.into_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

impl IsTerminal for CapturedStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for CapturedStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for CapturedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.captured.write(self.destination, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_MAX_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for CapturedStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for CapturedStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let bytes = bytes.get(..WRITE_MAX_BYTES).unwrap_or(bytes);
        self.captured.write(self.destination, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
