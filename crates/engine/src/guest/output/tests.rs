//! Lines are assembled, bounded and escaped.

use super::*;

fn bounds(result_max_bytes: usize, log_max_bytes: usize) -> OutputBounds {
    OutputBounds { result_max_bytes, log_max_bytes }
}

fn log(max_bytes: usize, writes: &[(LogStream, &[u8])]) -> Vec<String> {
    let captured = Captured::new(bounds(0, max_bytes), None);
    for (stream, bytes) in writes {
        captured.write(Destination::Log(*stream), bytes);
    }
    let lines = captured.take().log;
    lines.iter().map(|line| format!("{}: {}", line.stream.as_str(), line.text)).collect()
}

#[test]
fn lines_are_assembled_per_stream_and_escaped() {
    let out = LogStream::Stdout;
    let err = LogStream::Stderr;
    assert_eq!(
        log(1 << 10, &[(out, b"on"), (err, b"bad\r\n"), (out, b"e\ntwo \x1b[2J\xff"), (out, b"")]),
        ["stderr: bad", "stdout: one", "stdout: two \\u{1b}[2J\u{fffd}"]
    );
}

#[test]
fn a_full_log_is_cut_and_says_so() {
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
fn a_log_sink_receives_each_kept_line_when_it_ends() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let log_sink = {
        let received = Arc::clone(&received);
        LogSink::new(move |line| received.lock().unwrap().push(line.text.clone()))
    };
    let captured = Captured::new(bounds(0, 200), Some(log_sink));
    captured.write(Destination::Log(LogStream::Stdout), b"one\ntw");
    assert_eq!(*received.lock().unwrap(), ["one"]);
    captured.write(Destination::Log(LogStream::Stdout), b"o\n");
    captured.write(Destination::Log(LogStream::Stdout), &[b'x'; 500]);
    captured.take();
    assert_eq!(
        *received.lock().unwrap(),
        ["one", "two"],
        "the sink receives no more lines than the log keeps"
    );
}

#[test]
fn a_result_over_its_bound_is_not_kept_beyond_it() {
    let captured = Captured::new(bounds(10, 0), None);
    captured.write(Destination::Result, b"123456");
    captured.write(Destination::Result, b"7890");
    assert!(!captured.0.lock().unwrap().result_overflowed);
    captured.write(Destination::Result, b"x");
    let written = captured.take();
    assert_eq!(written.result, b"1234567890");
    assert!(written.result_overflowed);
}
