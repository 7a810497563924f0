//! Targets: the bounds that a figure must keep.

use serde::Serialize;
use std::fmt::Write as _;

/// One bound of a target. A figure without a bound is only reported. Every bound is
/// a linear function of the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// Pilum's value is at least this many times the control's.
    AtLeast(f64),
    /// Pilum's value is at most `times` the control's plus `plus`, in the figure's unit.
    AtMost {
        /// 0 if the bound does not depend on the control.
        times: f64,
        /// 0 if the bound limits only the ratio.
        plus: f64,
    },
}

/// Pilum's value is at least `times` the control's.
pub(crate) const fn at_least(times: f64) -> Bound {
    Bound::AtLeast(times)
}

/// Pilum's value is at most `times` the control's.
pub(crate) const fn at_most(times: f64) -> Bound {
    Bound::AtMost { times, plus: 0.0 }
}

/// Pilum's value is at most `plus`; the control does not matter.
pub(crate) const fn within(plus: f64) -> Bound {
    Bound::AtMost { times: 0.0, plus }
}

/// Pilum's value is at most the control's plus `plus`.
pub(crate) const fn at_most_added(plus: f64) -> Bound {
    Bound::AtMost { times: 1.0, plus }
}

impl Bound {
    /// Whether Pilum's value keeps the bound. `control` may be NaN if the bound does not
    /// depend on it.
    pub(crate) fn holds(self, ours: f64, control: f64) -> bool {
        match self {
            Self::AtLeast(times) => ours >= times * control,
            Self::AtMost { times: 0.0, plus } => ours <= plus,
            Self::AtMost { times, plus } => ours <= times * control + plus,
        }
    }

    /// Whether the bound limits the difference from the control.
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

/// A target as text for people; `unit` is the figure's.
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
    fn each_kind_of_bound_is_checked_and_shown() {
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
