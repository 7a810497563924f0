//! The table at the end, and the file it is kept in.

use crate::measure::{Figure, Spread};
use crate::report::Report;
use crate::target::{self, Bound};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;

/// Between these lines of a results file stands what this program writes.
const BEGIN: &str = "<!-- from here to the end mark: written by `make bench` -->";
const END: &str = "<!-- end of what `make bench` writes -->";

/// Every figure with its control, its ratio, its target, and whether it is met; and what failed.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::from(
        "| figure | unit | pilum (min–max) | control (min–max) | ratio (min–max) | target | met |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for figure in &report.figures {
        let met = figure.met.map_or("—", |met| if met { "yes" } else { "NO" });
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {met} |",
            figure.name,
            figure.unit,
            shown(figure.ours),
            figure.control.map_or("—".to_owned(), shown),
            compared(figure),
            target::shown(&figure.target, figure.unit),
        );
    }
    for failure in &report.failures {
        let _ = writeln!(text, "\n`{}` could not be measured: {}", failure.row, failure.reason);
    }
    text
}

/// Rewrites what stands between the two marks of `file`, and nothing else.
pub(crate) fn keep(report: &Report, file: &Path) -> Result<()> {
    let old = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let missing = || format!("{} lacks the line {BEGIN:?} or {END:?}", file.display());
    let (before, rest) = old.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    let plan = report.plan;
    let new = format!(
        "{before}{BEGIN}\n\n- commit: {}, release profile\n- machine: {}; client and server share the cores\n\
         - `pilum-bench --rounds {} --seconds {}`\n\n{}\n{END}{after}",
        report.commit.as_deref().unwrap_or("unknown"),
        report.machine.shown(),
        plan.rounds,
        plan.seconds,
        markdown(report),
    );
    std::fs::write(file, new).with_context(|| format!("{}", file.display()))
}

/// The ratio, and the difference where the target speaks of one.
fn compared(figure: &Figure) -> String {
    let mut text = figure.ratio.map_or("—".to_owned(), shown);
    if let Some(added) = figure.added.filter(|_| figure.target.iter().copied().any(Bound::is_added)) {
        let _ = write!(text, "; {}{}", if added.median < 0.0 { "" } else { "+" }, number(added.median));
    }
    text
}

fn shown(spread: Spread) -> String {
    format!("{} ({}–{})", number(spread.median), number(spread.min), number(spread.max))
}

fn number(n: f64) -> String {
    if n.abs() >= 1000.0 { format!("{n:.0}") } else { format!("{n:.2}") }
}
