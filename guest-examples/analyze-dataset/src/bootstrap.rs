//! The bootstrap of Efron (1979): it estimates how exact a mean is, by drawing values
//! from the sample again and again.
//!
//! One resample draws as many values as the sample has, with repetition. This takes
//! long: 100,000 rows and 1,000 resamples are 10⁸ draws.

use serde::Serialize;

use crate::statistics::percentile;

/// Fixed, so that the same input gives the same interval.
const SEED: u64 = 0x0050_696C_756D;
/// The highest number of lines of progress.
const PROGRESS_LINES: u32 = 20;

/// The interval that contains the true mean in 95 of 100 cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
    pub resamples: u32,
}

/// The confidence interval of the mean; `None` without values or without resamples.
pub fn mean_interval(values: &[f64], resamples: u32, mut progress: impl FnMut(String)) -> Option<Interval> {
    let mut random = SplitMix64(SEED);
    let step = resamples.div_ceil(PROGRESS_LINES).max(1);
    let mut means = Vec::with_capacity(resamples as usize);
    for done in 1..=resamples {
        means.push(resampled_mean(values, &mut random)?);
        if done % step == 0 || done == resamples {
            progress(format!("{done} of {resamples} resamples"));
        }
    }
    means.sort_by(f64::total_cmp);
    Some(Interval { low: percentile(&means, 0.025)?, high: percentile(&means, 0.975)?, resamples })
}

fn resampled_mean(values: &[f64], random: &mut SplitMix64) -> Option<f64> {
    let mut sum = 0.0;
    for _ in 0..values.len() {
        sum += values.get(random.below(values.len()))?;
    }
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// The generator of Steele, Lea and Flood (2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A random number below `bound`. It is uniform except for a bias of `bound` in 2³²,
    /// which is far below the noise of a bootstrap.
    fn below(&mut self, bound: usize) -> usize {
        let high = self.next() >> 32;
        ((high * bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{SplitMix64, mean_interval};

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_interval_holds_the_mean_and_is_the_same_again() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let mut lines = 0;
        let interval = mean_interval(&values, 400, |_| lines += 1).expect("values and resamples");
        assert!(interval.low < 499.5 && 499.5 < interval.high, "{interval:?}");
        // The interval is 1.96 standard errors to each side, in total 17.9.
        assert!((30.0..42.0).contains(&(interval.high - interval.low)), "{interval:?}");
        assert_eq!(lines, 20);
        assert_eq!(mean_interval(&values, 400, |_| ()), Some(interval));
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(mean_interval(&[1.0], 0, |_| ()), None);
        assert_eq!(mean_interval(&[], 10, |_| ()), None);
    }
}
