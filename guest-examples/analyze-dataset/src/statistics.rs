//! Statistics of a list of numbers.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub count: u32,
    pub minimum: f64,
    pub maximum: f64,
    pub mean: f64,
    /// The standard deviation of a sample (divided by count - 1); 0 for one value.
    pub standard_deviation: f64,
    pub percentile5: f64,
    pub percentile25: f64,
    pub median: f64,
    pub percentile75: f64,
    pub percentile95: f64,
}

/// The statistics of finite numbers; `None` for an empty list.
pub fn summarize(mut values: Vec<f64>) -> Option<Summary> {
    let count = u32::try_from(values.len()).ok()?;
    let mean = mean(&values)?;
    values.sort_by(f64::total_cmp);
    Some(Summary {
        count,
        minimum: *values.first()?,
        maximum: *values.last()?,
        mean,
        standard_deviation: standard_deviation(&values, mean),
        percentile5: percentile(&values, 0.05)?,
        percentile25: percentile(&values, 0.25)?,
        median: percentile(&values, 0.5)?,
        percentile75: percentile(&values, 0.75)?,
        percentile95: percentile(&values, 0.95)?,
    })
}

pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Interpolated between the two nearest of the sorted values.
pub fn percentile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let place = fraction * (sorted.len().checked_sub(1)? as f64);
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

fn standard_deviation(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let degrees = values.len().saturating_sub(1).max(1);
    (squares / degrees as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{percentile, summarize};

    #[test]
    fn a_small_list() {
        let summary = summarize(vec![4.0, 1.0, 3.0, 2.0, 5.0]).expect("not empty");
        assert_eq!((summary.count, summary.minimum, summary.maximum), (5, 1.0, 5.0));
        assert_eq!((summary.mean, summary.median), (3.0, 3.0));
        assert_eq!((summary.percentile25, summary.percentile75), (2.0, 4.0));
        assert!((summary.standard_deviation - 2.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_value_and_none() {
        let summary = summarize(vec![7.0]).expect("not empty");
        assert_eq!((summary.standard_deviation, summary.percentile95), (0.0, 7.0));
        assert_eq!(summarize(Vec::new()), None);
    }

    #[test]
    fn percentiles_lie_between_neighbours() {
        assert_eq!(percentile(&[0.0, 10.0], 0.25), Some(2.5));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
