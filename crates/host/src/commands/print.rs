//! What goes to standard output, as text for people or JSON for scripts.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the command line speaks")]

use super::parameters::to_json;
use pilum_client::Status;
use pilum_types::Output;
use serde_json::{Map, Value as Json, json};
use std::time::SystemTime;

/// Says why a command did not work, and what to do.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("pilum: {error:#}");
}

/// Prints JSON on one line.
pub(super) fn json(value: &Json) {
    println!("{value}");
}

/// Prints text.
pub(super) fn text(text: impl std::fmt::Display) {
    println!("{text}");
}

/// A remark beside the result, on standard error.
pub(super) fn remark(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// A result as JSON: a typed one as it is; bytes that are JSON as that, else as text.
pub(super) fn output_json(output: &Output) -> Json {
    match output {
        Output::Typed(value) => to_json(value),
        Output::Raw(bytes) => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| Json::from(String::from_utf8_lossy(bytes)))
        }
    }
}

/// Prints a result alone: a string without quotes, bytes as they are, else JSON.
pub(super) fn output(output: &Output) {
    use std::io::Write as _;
    match output {
        Output::Typed(pilum_types::Value::String(string)) => text(string),
        Output::Typed(value) => text(to_json(value)),
        Output::Raw(bytes) => {
            let mut stdout = std::io::stdout().lock();
            let newline: &[u8] = if bytes.ends_with(b"\n") { b"" } else { b"\n" };
            // A closed pipe is the reader's choice.
            let _ = stdout.write_all(bytes).and_then(|()| stdout.write_all(newline));
        }
    }
}

/// An execution's status as the fields of a JSON object.
pub(super) fn status_fields(status: &Status) -> Map<String, Json> {
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

/// Columns of equal width, the first row as their heads.
pub(super) fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// How long ago, roughly: `12s`, `3m`, `5h`, `2d`.
pub(super) fn ago(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
