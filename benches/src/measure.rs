//! Rounds, medians, and what a figure is.

use serde::Serialize;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds of each side.
    pub(crate) rounds: u32,
    /// Seconds of load in each round.
    pub(crate) seconds: f64,
}

/// Several measurements of the same thing.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// What a ratio must be.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) enum Target {
    /// Ours at least so many times the control.
    AtLeast(f64),
    /// Ours at most so many times the control.
    AtMost(f64),
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// The row of the plan, and what of it.
    pub(crate) name: String,
    /// What both sides are measured in.
    pub(crate) unit: &'static str,
    /// Pilum.
    pub(crate) ours: Spread,
    /// The control.
    pub(crate) control: Spread,
    /// Pilum over the control, round by round.
    pub(crate) ratio: Spread,
    /// What the ratio must be.
    pub(crate) target: Target,
    /// Whether the median ratio is what it must be.
    pub(crate) met: Option<bool>,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), min: at(0), max: at(values.len().saturating_sub(1)) }
    }
}

impl Figure {
    /// A figure from its rounds; `pairs` holds ours and the control's.
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        target: Target,
        pairs: &[(f64, f64)],
    ) -> Self {
        let side = |pick: fn(&(f64, f64)) -> f64| Spread::of(pairs.iter().map(pick).collect());
        let ratio = side(|(ours, control)| ours / control);
        let met = match target {
            Target::AtLeast(bound) => Some(ratio.median >= bound),
            Target::AtMost(bound) => Some(ratio.median <= bound),
        };
        Self { name: name.into(), unit, ours: side(|p| p.0), control: side(|p| p.1), ratio, target, met }
    }
}

/// The value below which `share` of the sorted `values` lie.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}
