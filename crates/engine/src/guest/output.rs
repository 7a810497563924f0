//! What a guest writes to its standard streams: captured, bounded, escaped.

use bytes::Bytes;
use pilum_call::LogSink;
use pilum_types::{LogLine, LogStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes a guest may write at a time. The guest asks again for the next piece,
/// so this bounds what one write holds outside the guest's own memory.
const WRITE_MAX_BYTES: usize = 64 << 10;
/// Longest line kept in one piece; a longer one is broken here.
const LINE_MAX_BYTES: usize = 8 << 10;

/// What a kept line takes besides its text, in bytes. Without it a guest that
/// writes empty lines would fill memory at no cost to its bound.
const LINE_COST_BYTES: usize = size_of::<LogLine>();

/// Everything one call writes. Shared by its streams, which the guest may open
/// several times; the lock is held for one write and never across an await.
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
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    bytes: usize,
    max_bytes: usize,
    dropped_bytes: u64,
    log_sink: Option<LogSink>,
}

/// What was captured, once the guest is gone.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) result: Vec<u8>,
    pub(crate) result_overflowed: bool,
    pub(crate) log: Vec<LogLine>,
}

impl Captured {
    pub(crate) fn new(result_max_bytes: u64, log_max_bytes: u64, log_sink: Option<LogSink>) -> Self {
        let bound = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Streams {
            result: Vec::new(),
            result_max_bytes: bound(result_max_bytes),
            result_overflowed: false,
            log: Log {
                lines: Vec::new(),
                stdout: Vec::new(),
                stderr: Vec::new(),
                bytes: 0,
                max_bytes: bound(log_max_bytes),
                dropped_bytes: 0,
                log_sink,
            },
        })))
    }

    /// Begins another call in the same store.
    pub(crate) fn begin(&self, result_max_bytes: u64, log_max_bytes: u64, log_sink: Option<LogSink>) {
        let next = Self::new(result_max_bytes, log_max_bytes, log_sink);
        let mut next = next.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), &mut *next);
    }

    pub(crate) fn stream(&self, destination: Destination) -> CapturedStream {
        CapturedStream { captured: self.clone(), destination }
    }

    /// Takes what was written. Called when no guest runs.
    pub(crate) fn take(&self) -> Written {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Written {
            result: std::mem::take(&mut streams.result),
            result_overflowed: streams.result_overflowed,
            log: streams.log.take(),
        }
    }

    pub(crate) fn write(&self, destination: Destination, bytes: &[u8]) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}

impl Log {
    fn write(&mut self, stream: LogStream, bytes: &[u8]) {
        for mut piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            while !piece.is_empty() {
                let line = self.partial(stream);
                // A partial line is always shorter than the longest, see below.
                let (now, rest) = piece.split_at(piece.len().min(LINE_MAX_BYTES - line.len()));
                line.extend_from_slice(now);
                piece = rest;
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
        // Once something was dropped nothing more is kept: a log with a hole
        // in its middle would mislead.
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

/// The line's text without its end, with control characters escaped so that no
/// guest can forge a line or steer a terminal.
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

/// One of the guest's standard streams.
#[derive(Debug, Clone)]
pub(crate) struct CapturedStream {
    captured: Captured,
    destination: Destination,
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
mod tests {
    use super::*;

    fn log(max_bytes: u64, writes: &[(LogStream, &[u8])]) -> Vec<String> {
        let captured = Captured::new(0, max_bytes, None);
        for (stream, bytes) in writes {
            captured.write(Destination::Log(*stream), bytes);
        }
        let lines = captured.take().log;
        lines.iter().map(|line| format!("{}: {}", line.stream.as_str(), line.text)).collect()
    }

    #[test]
    fn lines_are_put_together_per_stream_and_escaped() {
        let out = LogStream::Stdout;
        let err = LogStream::Stderr;
        assert_eq!(
            log(1 << 10, &[(out, b"on"), (err, b"bad\r\n"), (out, b"e\ntwo \x1b[2J\xff"), (out, b"")]),
            ["stderr: bad", "stdout: one", "stdout: two \\u{1b}[2J\u{fffd}"]
        );
    }

    #[test]
    fn a_flood_is_cut_and_said_to_be() {
        let line = [b'x'; 100];
        let writes = vec![(LogStream::Stdout, line.as_slice()); 1_000];
        let lines = log(20 << 10, &writes);
        let kept: usize = lines.iter().map(String::len).sum();
        assert!(kept < 21 << 10, "{kept}");
        assert_eq!(
            lines.last().map(String::as_str),
            Some("host: the log is cut here: it may have 20480 bytes, 83616 more were dropped")
        );
    }

    #[test]
    fn a_tap_is_told_what_is_kept_and_when() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log_sink = {
            let told = Arc::clone(&told);
            LogSink::new(move |line| told.lock().unwrap().push(line.text.clone()))
        };
        let captured = Captured::new(0, 200, Some(log_sink));
        captured.write(Destination::Log(LogStream::Stdout), b"one\ntw");
        assert_eq!(*told.lock().unwrap(), ["one"]);
        captured.write(Destination::Log(LogStream::Stdout), b"o\n");
        captured.write(Destination::Log(LogStream::Stdout), &[b'x'; 500]);
        captured.take();
        assert_eq!(*told.lock().unwrap(), ["one", "two"], "no more than the log has");
    }

    #[test]
    fn a_result_over_its_bound_is_not_kept_beyond_it() {
        let captured = Captured::new(10, 0, None);
        captured.write(Destination::Result, b"123456");
        captured.write(Destination::Result, b"7890");
        assert!(!captured.0.lock().unwrap().result_overflowed);
        captured.write(Destination::Result, b"x");
        let written = captured.take();
        assert_eq!(written.result, b"1234567890");
        assert!(written.result_overflowed);
    }
}
