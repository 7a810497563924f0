//! What a figure must be.

use serde::Serialize;
use std::fmt::Write as _;

/// One bound of a target; a figure without any is only reported. All bounds are
/// linear in the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// Ours is at least so many times the control.
    AtLeast(f64),
    /// Ours is at most `times` the control and `plus`, which is in the figure's own unit.
    AtMost {
        /// 0 where the bound is absolute.
        times: f64,
        /// 0 where the bound is on the ratio alone.
        plus: f64,
    },
}

/// Ours is at least `times` the control.
pub(crate) const fn at_least(times: f64) -> Bound {
    Bound::AtLeast(times)
}

/// Ours is at most `times` the control.
pub(crate) const fn at_most(times: f64) -> Bound {
    Bound::AtMost { times, plus: 0.0 }
}

/// Ours is at most `plus`, whatever the control is.
pub(crate) const fn within(plus: f64) -> Bound {
    Bound::AtMost { times: 0.0, plus }
}

/// Ours is at most the control and `plus`.
pub(crate) const fn at_most_added(plus: f64) -> Bound {
    Bound::AtMost { times: 1.0, plus }
}

impl Bound {
    /// Whether ours keeps it beside the control, which may be NaN where the bound is absolute.
    pub(crate) fn holds(self, ours: f64, control: f64) -> bool {
        match self {
            Self::AtLeast(times) => ours >= times * control,
            Self::AtMost { times: 0.0, plus } => ours <= plus,
            Self::AtMost { times, plus } => ours <= times * control + plus,
        }
    }

    /// Whether it is about the difference from the control.
    pub(crate) fn is_added(self) -> bool {
        matches!(self, Self::AtMost { times, plus } if times != 0.0 && plus != 0.0)
    }

    fn shown(self, unit: &str) -> String {
        match self {
            Self::AtLeast(times) => format!("≥ {times} ×"),
            Self::AtMost { times: 0.0, plus } => format!("≤ {plus} {unit}"),
            Self::AtMost { times, plus: 0.0 } => format!("≤ {times} ×"),
            Self::AtMost { times: 1.0, plus } => format!("≤ +{plus} {unit}"),
            Self::AtMost { times, plus } => format!("≤ {times} × + {plus} {unit}"),
        }
    }
}

/// A target as a person reads it; `unit` is the figure's.
pub(crate) fn shown(target: &[Bound], unit: &str) -> String {
    let mut text = String::new();
    for (i, bound) in target.iter().enumerate() {
        let _ = write!(text, "{}{}", if i == 0 { "" } else { " and " }, bound.shown(unit));
    }
    if text.is_empty() { "reported".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &[Bound], expect: &str, holding: &[(f64, f64)], failing: &[(f64, f64)]) {
        assert_eq!(shown(target, "ms"), expect);
        let all = |(ours, control): &(f64, f64)| target.iter().all(|bound| bound.holds(*ours, *control));
        assert!(holding.iter().all(all), "{expect}");
        assert!(!failing.iter().any(all), "{expect}");
    }

    #[test]
    fn every_kind_of_bound() {
        check(&[], "reported", &[(1.0, 2.0)], &[]);
        check(&[at_least(0.5)], "≥ 0.5 ×", &[(1.0, 2.0)], &[(0.9, 2.0), (1.0, f64::NAN)]);
        check(&[at_most(1.5)], "≤ 1.5 ×", &[(3.0, 2.0)], &[(3.1, 2.0), (1.0, f64::NAN)]);
        check(&[within(10.0)], "≤ 10 ms", &[(10.0, f64::NAN), (10.0, 1.0)], &[(10.1, f64::NAN)]);
        check(&[at_most_added(5.0)], "≤ +5 ms", &[(7.0, 2.0)], &[(7.1, 2.0)]);
        check(
            &[at_most(2.0), at_most_added(5.0)],
            "≤ 2 × and ≤ +5 ms",
            &[(4.0, 2.0)],
            &[(5.0, 2.0), (26.0, 20.0)],
        );
        let affine = Bound::AtMost { times: 1.2, plus: 30.0 };
        assert_eq!(shown(&[], "ms"), "reported");
        assert_eq!(affine.shown("ms"), "≤ 1.2 × + 30 ms");
        assert!(affine.holds(149.0, 100.0) && !affine.holds(151.0, 100.0));
    }
}
