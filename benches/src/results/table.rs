//! The table that a run prints, and the file that it is written into.

use crate::measure::{Figure, Spread};
use crate::results::report::Report;
use crate::results::target::{self, Bound};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::Path;

/// This program writes the lines between these two of a results file.
const BEGIN: &str = "<!-- from here to the end mark: written by `make bench` -->";
const END: &str = "<!-- end of what `make bench` writes -->";

/// One line for each figure, with its control, ratio and target and whether the
/// target is met; then the rows that failed.
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

/// Replaces the text between the two marks of `file`, and nothing else.
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

/// The ratio, and the difference where a bound limits it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Plan;
    use crate::results::report::{Failure, Machine};
    use crate::results::target::{at_most, at_most_added, within};

    fn report() -> Report {
        let rounds = [(7.0, 3.0), (8.0, 4.0), (9.0, 3.0)];
        Report {
            commit: Some("0123456789ab".to_owned()),
            machine: Machine { cores: 2, processor: None, memory_mib: Some(24_105), kernel: None },
            plan: Plan { rounds: 5, seconds: 0.5 },
            figures: vec![
                Figure::beside("core", "µs", &[at_most(2.0), at_most_added(5.0)], &rounds),
                Figure::alone("task", "KiB", &[within(64.0)], &[0.7]),
                Figure::beside("fuel", "ms", &[], &rounds),
            ],
            failures: vec![Failure { row: "stream", reason: "no server".to_owned() }],
        }
    }

    #[test]
    fn each_kind_of_line_is_written() {
        insta::assert_snapshot!(markdown(&report()), @"
        | figure | unit | pilum (min–max) | control (min–max) | ratio (min–max) | target | met |
        |---|---|---|---|---|---|---|
        | core | µs | 8.00 (7.00–9.00) | 3.00 (3.00–4.00) | 2.33 (2.00–3.00); +4.00 | ≤ 2 × and ≤ +5 µs | NO |
        | task | KiB | 0.70 (0.70–0.70) | — | — | ≤ 64 KiB | yes |
        | fuel | ms | 8.00 (7.00–9.00) | 3.00 (3.00–4.00) | 2.33 (2.00–3.00) | reported | — |

        `stream` could not be measured: no server
        ");
    }

    #[test]
    fn only_the_text_between_the_marks_is_replaced() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("RESULTS.md");
        std::fs::write(&file, format!("before\n{BEGIN}\nold\n{END}\nafter\n"))?;
        keep(&report(), &file)?;
        let once = std::fs::read_to_string(&file)?;
        keep(&report(), &file)?;
        assert_eq!(once, std::fs::read_to_string(&file)?, "a second run writes the same text");
        assert!(
            once.starts_with("before\n") && once.ends_with("\nafter\n") && !once.contains("old"),
            "{once}"
        );
        assert!(
            once.contains("- commit: 0123456789ab, release profile\n- machine: 2 cores, 24 GiB; "),
            "{once}"
        );
        std::fs::write(&file, "no marks")?;
        assert!(keep(&report(), &file).is_err());
        Ok(())
    }
}
