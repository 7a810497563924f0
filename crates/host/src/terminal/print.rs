//! Writes results to standard output, as text for people or JSON for scripts, and remarks
//! to standard error.

use crate::terminal::exit::REFUSED;
use crate::terminal::parameters::to_json;
use pilum_client::{Report, Status};
use pilum_types::Output;
use serde_json::{Map, Value as Json, json};
use std::io::Write as _;
use std::time::SystemTime;

/// Says why a command failed, and what to do.
pub(crate) fn error(error: &anyhow::Error) {
    remark(format!("pilum: {error:#}"));
}

/// Prints JSON on one line.
pub(crate) fn json(value: &Json) {
    write(format!("{value}\n").as_bytes());
}

/// Writes to standard output. If that fails, the program ends: without an error when the
/// reader has closed the pipe, else with one, because the result is lost.
pub(crate) fn write(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        remark(format!("pilum: standard output: {error}"));
        std::process::exit(REFUSED.into());
    }
}

/// Prints text.
pub(crate) fn text(text: impl std::fmt::Display) {
    write(format!("{text}\n").as_bytes());
}

/// Writes a remark to standard error.
pub(crate) fn remark(text: impl std::fmt::Display) {
    // If standard error is closed, there is no other place to report that.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A result as JSON. Bytes that are JSON stay JSON; other bytes become a string.
pub(crate) fn output_json(output: &Output) -> Json {
    match output {
        Output::Typed(value) => to_json(value),
        Output::Raw(bytes) | Output::Response { body: bytes, .. } => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| Json::from(String::from_utf8_lossy(bytes)))
        }
    }
}

/// Prints only the result: a string without quotes, bytes as they are, other values as
/// JSON.
pub(crate) fn output(output: &Output) {
    match output {
        Output::Typed(pilum_types::Value::String(string)) => text(string),
        Output::Typed(value) => text(to_json(value)),
        Output::Raw(bytes) | Output::Response { body: bytes, .. } => {
            write(bytes);
            // Text gets a line end. Other bytes are printed as the function wrote them.
            if !bytes.ends_with(b"\n") && std::str::from_utf8(bytes).is_ok() {
                write(b"\n");
            }
        }
    }
}

/// An execution's status as the fields of a JSON object.
pub(crate) fn status_fields(status: &Status) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("status".to_owned(), json!(status.state.as_str()));
    if let Some(output) = &status.output {
        fields.insert("result".to_owned(), output_json(output));
    }
    if let Some(code) = &status.error_code {
        fields.insert("error_code".to_owned(), json!(code));
        fields.insert("error_message".to_owned(), json!(status.error_message));
    }
    if status.state.is_terminal() {
        fields.insert(
            "execution_time_ms".to_owned(),
            json!(u64::try_from(status.duration.as_millis()).unwrap_or(u64::MAX)),
        );
        fields.insert("memory_used_bytes".to_owned(), json!(status.memory_used_bytes));
        fields.insert("metrics".to_owned(), json!(status.metrics));
    }
    fields
}

/// What a report has beside its status, as the fields of a JSON object.
pub(crate) fn report_fields(report: &Report) -> Map<String, Json> {
    let attempts = report.attempts.iter().map(|attempt| {
        json!({
            "number": attempt.number,
            "took_ms": u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            "error_code": attempt.error_code,
            "error_message": attempt.error_message,
            "instance_id": attempt.instance_id,
        })
    });
    let mut fields = Map::new();
    fields.insert("attempts".to_owned(), attempts.collect());
    fields.insert("dead_letter".to_owned(), json!(report.is_dead_letter));
    if let Some(position) = report.queue_position {
        fields.insert("queue_position".to_owned(), json!(position));
    }
    fields
}

/// Prints the state of an execution, and which attempts failed so far.
pub(crate) fn report(report: &Report) {
    let status = &report.status;
    let ended = status.state.is_terminal();
    let more = match (ended, report.queue_position) {
        (true, _) => format!(" after {} ms", status.duration.as_millis()),
        (false, Some(position)) => format!(", queue position {position}"),
        (false, None) => String::new(),
    };
    remark(format!("{}{more}", status.state));
    // The failure of the last attempt is that of the execution, which is printed below.
    let earlier = report.attempts.len().saturating_sub(usize::from(ended));
    for attempt in report.attempts.iter().take(earlier) {
        if let Some(code) = &attempt.error_code {
            let first_line = attempt.error_message.lines().next().unwrap_or_default();
            remark(format!("attempt {}: {code}: {first_line}", attempt.number));
        }
    }
    if let Some(code) = &status.error_code {
        remark(format!("{code}: {}", status.error_message));
    }
    if report.is_dead_letter {
        remark("it is a dead letter: `pilum dead-letters redrive` runs it again");
    }
}

/// Prints rows in columns of equal width. The first row has the heads.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A time in the form of RFC 3339, to the second.
pub(crate) fn time(time: SystemTime) -> String {
    pilum_client::write_time(time)
}

/// How long ago a time was, rounded down to one unit: `12s`, `3m`, `5h`, `2d`.
pub(crate) fn ago(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
