//! Rounds, medians and figures.

use crate::results::target::Bound;
use anyhow::Result;
use serde::Serialize;

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
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

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// The row, and which of its measurements this is.
    pub(crate) name: String,
    /// The unit of both sides.
    pub(crate) unit: &'static str,
    /// Pilum's measurements.
    pub(crate) ours: Spread,
    /// The control's measurements, where there is a control.
    pub(crate) control: Option<Spread>,
    /// Pilum's value divided by the control's, round by round.
    pub(crate) ratio: Option<Spread>,
    /// Pilum's value minus the control's, round by round.
    pub(crate) added: Option<Spread>,
    /// What the figure must be.
    pub(crate) target: Vec<Bound>,
    /// Whether more than half of the rounds keep every bound. `None` without a target.
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
    /// A figure with a control; each round holds Pilum's value and the control's.
    pub(crate) fn beside(
        name: impl Into<String>,
        unit: &'static str,
        target: &[Bound],
        rounds: &[(f64, f64)],
    ) -> Self {
        let spread = |pick: fn(&(f64, f64)) -> f64| Some(Spread::of(rounds.iter().map(pick).collect()));
        let ours: Vec<_> = rounds.iter().map(|(ours, _)| *ours).collect();
        Self {
            control: spread(|(_, control)| *control),
            ratio: spread(|(ours, control)| ours / control),
            added: spread(|(ours, control)| ours - control),
            met: met(target, |bound| kept(rounds, |(ours, control)| bound.holds(*ours, *control))),
            ..Self::alone(name, unit, target, &ours)
        }
    }

    /// A figure without a control in the same unit.
    pub(crate) fn alone(
        name: impl Into<String>,
        unit: &'static str,
        target: &[Bound],
        rounds: &[f64],
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours: Spread::of(rounds.to_vec()),
            control: None,
            ratio: None,
            added: None,
            target: target.to_vec(),
            // A bound that needs a control does not hold without one.
            met: met(target, |bound| kept(rounds, |ours| bound.holds(*ours, f64::NAN))),
        }
    }
}

/// Whether every bound is kept; `None` if there is no bound.
fn met(target: &[Bound], is_kept: impl Fn(&Bound) -> bool) -> Option<bool> {
    (!target.is_empty()).then(|| target.iter().all(is_kept))
}

/// Whether more than half of the rounds keep a bound. The median keeps it then too.
fn kept<T>(rounds: &[T], holds: impl Fn(&T) -> bool) -> bool {
    rounds.iter().filter(|round| holds(round)).count() * 2 > rounds.len()
}

/// The value below which `share` of the `values` lie; sorts them.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The middle of the `values`; sorts them.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// Runs a measurement on its own runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Measures both sides in turn, round by round.
pub(crate) async fn alternate<T>(
    plan: Plan,
    mut ours: impl AsyncFnMut() -> Result<T>,
    mut control: impl AsyncFnMut() -> Result<T>,
) -> Result<Vec<(T, T)>> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let ours = ours().await?;
        rounds.push((ours, control().await?));
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::target::{at_most, within};

    fn check(rounds: &[(f64, f64)], target: &[Bound], expect: Option<bool>) {
        assert_eq!(Figure::beside("figure", "ms", target, rounds).met, expect, "{rounds:?}");
    }

    #[test]
    fn a_target_is_met_when_more_than_half_of_the_rounds_keep_it() {
        check(&[(1.0, 1.0), (2.0, 1.0), (9.0, 1.0)], &[at_most(2.0)], Some(true));
        check(&[(1.0, 1.0), (3.0, 1.0), (9.0, 1.0)], &[at_most(2.0)], Some(false));
        check(&[(1.0, 1.0), (3.0, 1.0)], &[at_most(2.0)], Some(false));
        check(&[(1.0, 1.0)], &[at_most(2.0), within(0.5)], Some(false));
        check(&[(1.0, 1.0)], &[], None);
    }

    #[test]
    fn a_figure_alone_meets_absolute_bounds_only() {
        assert_eq!(Figure::alone("figure", "ms", &[within(2.0)], &[1.0]).met, Some(true));
        assert_eq!(Figure::alone("figure", "ms", &[at_most(2.0)], &[1.0]).met, Some(false));
    }

    #[test]
    fn percentiles_are_of_the_values() {
        let mut values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!((median(&mut values), percentile(&mut values, 0.99)), (50.0, 99.0));
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
