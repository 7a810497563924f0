//! Plots: throughput in the upper half, p99 in the lower, over a logarithmic axis.

use crate::client::load::Measured;
use crate::measure::Spread;
use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

const WIDTH_PX: u32 = 840;
const PANEL_PX: u32 = 330;
const FONT: &str = "sans-serif";
/// They differ in lightness too, for readers who cannot tell hues apart.
const COLOURS: [RGBColor; 2] = [RGBColor(31, 92, 153), RGBColor(230, 126, 34)];
/// Room above the highest value, for the legend.
const HEADROOM: f64 = 1.5;

/// One plot: what grows, and how each series changes with it.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x_name: &'static str,
    /// The factor from one label of the logarithmic axis to the next.
    pub(crate) x_base: f64,
    pub(crate) series: Vec<Series>,
}

/// Measurements of the same thing at several values of x.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Each x, and its rounds.
    pub(crate) points: Vec<(usize, Vec<Measured>)>,
}

/// One half of a plot.
struct Panel {
    title: String,
    y_name: &'static str,
    pick: fn(&Measured) -> f64,
}

impl Plot {
    /// Writes an SVG file.
    pub(crate) fn draw(&self, file: &Path) -> Result<()> {
        let root = SVGBackend::new(file, (WIDTH_PX, 2 * PANEL_PX)).into_drawing_area();
        root.fill(&WHITE)?;
        let (upper, lower) = root.split_vertically(PANEL_PX);
        let throughput = Panel {
            title: format!("{}: throughput", self.title),
            y_name: "calls per second",
            pick: |round| round.calls_per_s,
        };
        self.panel(&upper, &throughput)?;
        let p99 = Panel {
            title: format!("{}: p99", self.title),
            y_name: "milliseconds",
            pick: |round| round.p99_us / 1e3,
        };
        self.panel(&lower, &p99)?;
        root.present().with_context(|| format!("{}", file.display()))
    }

    fn panel(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel) -> Result<()> {
        let spots = || self.series.iter().flat_map(|series| &series.points);
        let xs = Spread::of(spots().map(|(x, _)| *x as f64).collect());
        let ys = Spread::of(spots().flat_map(|(_, rounds)| rounds.iter().map(panel.pick)).collect());
        let x_axis = (xs.min * 0.9..xs.max * 1.1).log_scale().base(self.x_base);
        let mut chart = ChartBuilder::on(area)
            .caption(&panel.title, (FONT, 18))
            .margin(14)
            .margin_right(30)
            .x_label_area_size(46)
            .y_label_area_size(76)
            .build_cartesian_2d(x_axis, 0.0..ys.max * HEADROOM)?;
        chart
            .configure_mesh()
            .x_desc(format!("{} (logarithmic)", self.x_name))
            .y_desc(panel.y_name)
            .axis_desc_style((FONT, 14))
            .label_style((FONT, 13))
            .x_label_formatter(&|x| thousands(*x))
            .y_label_formatter(&|y| if ys.max < 20.0 { format!("{y:.1}") } else { thousands(*y) })
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let median = |rounds: &Vec<Measured>| Spread::of(rounds.iter().map(panel.pick).collect()).median;
            let line = series.points.iter().map(|(x, rounds)| (*x as f64, median(rounds)));
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(format!("{}, median", series.name))
                .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            let rounds = series.points.iter().flat_map(|(x, rounds)| {
                rounds
                    .iter()
                    .map(|round| Circle::new((*x as f64, (panel.pick)(round)), 3, colour.mix(0.45).filled()))
            });
            chart.draw_series(rounds)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font((FONT, 13))
            .background_style(WHITE.mix(0.8))
            .draw()?;
        Ok(())
    }
}

/// A whole number with a comma between its thousands.
fn thousands(n: f64) -> String {
    let digits = format!("{n:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn commas_separate_thousands() {
        for (n, text) in [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(n), text);
        }
    }
}
