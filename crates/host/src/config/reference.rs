//! The configuration reference: `docs/configuration.md` is what [`render`] makes of the
//! comments, defaults and bounds in `config.rs`.

use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use toml::{Table, Value};

/// The document, from the repository's root.
const PATH: &str = "docs/configuration.md";

/// The comments of a section.
pub(super) struct Section {
    /// Lines about the section as a whole.
    pub(super) lines: &'static [&'static str],
    /// Each key in the order of the file, with the lines about it.
    pub(super) keys: &'static [(&'static str, &'static [&'static str])],
}

const SECTIONS: [(&str, Section); 11] = [
    ("listen", Listen::COMMENTS),
    ("storage", Storage::COMMENTS),
    ("artifacts", Artifacts::COMMENTS),
    ("sync_execution", SyncExecution::COMMENTS),
    ("async_execution", AsyncExecution::COMMENTS),
    ("callbacks", Callbacks::COMMENTS),
    ("outgoing", Outgoing::COMMENTS),
    ("limits", Limits::COMMENTS),
    ("engine", EngineSection::COMMENTS),
    ("shutdown", Shutdown::COMMENTS),
    ("log", Log::COMMENTS),
];

/// Keys whose largest value is the value of another key.
const BOUNDED_BY: [(&str, &str); 2] = [
    ("sync_execution.default_timeout_ms", "sync_execution.max_timeout_ms"),
    ("async_execution.default_timeout_ms", "async_execution.max_timeout_ms"),
];

const HEAD: &str = "\
# Configuration

<!-- Written by `make config-docs` from crates/host/src/config.rs. Change that file. -->

`pilum serve` reads one TOML file, which `--config FILE` or the variable `PILUM_CONFIG`
names. Without one, every key has its default. An environment variable wins over the
file, and a flag wins over both: `--grpc-listen`, `--http-listen`, `--data-dir`, and
`--artifact-root`, which adds to `artifacts.roots`. A key that does not exist, a value of
the wrong type and a value out of its bounds are errors: the host does not start, and
names the place and the nearest known key.

```toml
# host.toml: keep results for three days
[storage]
data_dir = \"/var/lib/pilum\"
[async_execution]
status_retention_hours = 72
```

The same by environment variable: `PILUM_ASYNC_EXECUTION__STATUS_RETENTION_HOURS=72`.
The unit of a number is in its name: `_ms` is milliseconds, `_hours` hours, `_bytes`
bytes.
";

fn render() -> String {
    let defaults = Table::try_from(Config::default()).unwrap();
    let bounds: BTreeMap<_, _> =
        Config::default().bounds().into_iter().map(|(key, _, min, max)| (key, (min, max))).collect();
    let mut text = HEAD.to_owned();
    for (name, section) in SECTIONS {
        write!(text, "\n## `[{name}]`\n\n{}\n\n", joined(section.lines, "\n")).unwrap();
        text.push_str("| key and variable | default | bounds | meaning |\n|---|---|---|---|\n");
        for (key, lines) in section.keys {
            let full = format!("{name}.{key}");
            let variable = format!("PILUM_{}__{}", name.to_uppercase(), key.to_uppercase());
            let default = defaults[name][*key].clone();
            let bound = bounds.get(full.as_str()).map(|(min, max)| bound(&full, *min, *max));
            writeln!(
                text,
                "| `{key}`<br>`{variable}` | {} | {} | {} |",
                shown(key, &default),
                bound.unwrap_or_default(),
                joined(lines, " ")
            )
            .unwrap();
        }
    }
    text
}

fn joined(lines: &[&str], between: &str) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(between)
}

/// A default as TOML writes it, with a second spelling for a large number.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Integer(number) => amount(key, u64::try_from(*number).unwrap()),
        other => format!("`{other}`"),
    }
}

fn bound(key: &str, min: u64, max: u64) -> String {
    let max = match BOUNDED_BY.iter().find(|(bounded, _)| *bounded == key) {
        Some((_, by)) => format!("`{by}`"),
        None => amount(key, max),
    };
    format!("{} to {max}", amount(key, min))
}

/// A number, with the largest unit that divides it.
fn amount(key: &str, number: u64) -> String {
    const BYTES: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    const MS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    const HOURS: [(u64, &str); 1] = [(24, "d")];
    let units: &[(u64, &str)] = match key.rsplit('_').next() {
        Some("bytes") => &BYTES,
        Some("ms") => &MS,
        Some("hours") => &HOURS,
        _ => &[],
    };
    match units.iter().find(|(unit, _)| number > 0 && number.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("`{number}` ({} {name})", number / unit),
        None => format!("`{number}`"),
    }
}

#[test]
fn config_reference_is_the_document() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PATH);
    let rendered = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == rendered, "{PATH} differs from config.rs; run `make config-docs`");
}

#[test]
fn config_reference_has_every_key() {
    let defaults = Table::try_from(Config::default()).unwrap();
    let keys = |table: &Value| table.as_table().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(defaults.len(), SECTIONS.len());
    for (name, section) in SECTIONS {
        let mut documented: Vec<_> = section.keys.iter().map(|(key, _)| (*key).to_owned()).collect();
        let mut known = keys(&defaults[name]);
        documented.sort();
        known.sort();
        assert_eq!(documented, known, "{name}");
        assert!(section.keys.iter().all(|(_, lines)| !lines.is_empty()), "{name}: a key has no comment");
    }
}
