//! The table at the end.

use crate::measure::{Figure, Spread, Target};
use anyhow::Result;

/// Prints every figure with its control, its ratio, its target, and whether it is met.
#[expect(clippy::print_stdout, reason = "this program's output")]
pub(crate) fn print(figures: &[Figure], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
        return Ok(());
    }
    println!("| figure | unit | pilum (min–max) | control (min–max) | ratio (min–max) | target | met |");
    println!("|---|---|---|---|---|---|---|");
    for figure in figures {
        let target = match figure.target {
            Target::AtLeast(bound) => format!("≥ {bound} ×"),
            Target::AtMost(bound) => format!("≤ {bound} ×"),
        };
        let met = figure.met.map_or("—", |met| if met { "yes" } else { "NO" });
        println!(
            "| {} | {} | {} | {} | {} | {target} | {met} |",
            figure.name,
            figure.unit,
            shown(figure.ours),
            shown(figure.control),
            shown(figure.ratio),
        );
    }
    Ok(())
}

fn shown(spread: Spread) -> String {
    let number = |n: f64| if n.abs() >= 1000.0 { format!("{n:.0}") } else { format!("{n:.2}") };
    format!("{} ({}–{})", number(spread.median), number(spread.min), number(spread.max))
}
