//! The times of many calls: percentiles, rates and means.

use pilum_client::Status;
use pilum_types::Usage;
use std::time::Duration;

/// How long each call took, and how long all calls took together.
#[derive(Debug, Default)]
pub(super) struct Samples {
    took: Vec<Duration>,
    elapsed: Duration,
}

/// The parts of a call's time that the host reports: of one call, or the sums of many.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Parts {
    queue_wait: Duration,
    acquire: Duration,
    guest: Duration,
}

impl Samples {
    pub(super) fn add(&mut self, took: Duration) {
        self.took.push(took);
    }

    /// Adds to the time in which the calls were made. Calls may overlap.
    pub(super) fn ran_for(&mut self, elapsed: Duration) {
        self.elapsed += elapsed;
    }

    pub(super) fn count(&self) -> usize {
        self.took.len()
    }

    /// The time within which `share` of the calls ended, in microseconds. `share` is between
    /// 0 and 1.
    pub(super) fn percentile_us(&self, share: f64) -> f64 {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index within the list"
        )]
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1e6
    }

    pub(super) fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn mean(&self) -> Duration {
        divided(self.took.iter().sum(), self.took.len())
    }
}

impl Parts {
    pub(super) fn of_usage(usage: &Usage) -> Self {
        let Usage { queue_wait, acquire, guest, .. } = *usage;
        Self { queue_wait, acquire, guest }
    }

    /// Reads the parts from a host's answer. A part that the host does not report is 0.
    pub(super) fn of_status(status: &Status) -> Self {
        let micros = |name: &str| {
            let text = status.metrics.get(name).and_then(|text| text.parse().ok());
            Duration::from_micros(text.unwrap_or_default())
        };
        Self { queue_wait: micros("queue_wait_us"), acquire: micros("acquire_us"), guest: micros("guest_us") }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.queue_wait += other.queue_wait;
        self.acquire += other.acquire;
        self.guest += other.guest;
    }

    /// Queue wait, acquire, guest and the rest of a call, on average, in microseconds.
    pub(super) fn means_us(&self, samples: &Samples) -> [f64; 4] {
        let mean = |sum| divided(sum, samples.count());
        let reported = mean(self.queue_wait) + mean(self.acquire) + mean(self.guest);
        [mean(self.queue_wait), mean(self.acquire), mean(self.guest), samples.mean().saturating_sub(reported)]
            .map(|part| part.as_secs_f64() * 1e6)
    }
}

fn divided(sum: Duration, by: usize) -> Duration {
    sum.checked_div(u32::try_from(by).unwrap_or(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_rates_and_means() {
        let mut samples = Samples::default();
        assert_eq!((samples.percentile_us(0.99), samples.count()), (0.0, 0));
        let mut parts = Parts::default();
        for us in 1..=100 {
            samples.add(Duration::from_micros(us));
            parts.add(Parts { guest: Duration::from_micros(1), ..Parts::default() });
        }
        samples.ran_for(Duration::from_millis(10));
        assert_eq!((samples.percentile_us(0.5), samples.percentile_us(0.99)), (51.0, 100.0));
        assert!((samples.per_second() - 10_000.0).abs() < 1e-6);
        assert_eq!(parts.means_us(&samples), [0.0, 0.0, 1.0, 49.5]);
    }
}
