//! Trying again: what for, how often, after which pause, until when.

use crate::ArtifactError;
use std::time::Duration;
use tokio::time::Instant;

/// Retries after the first try. With the pauses below they span about two
/// seconds, which outlasts a restart of a server or a passing overload.
const MAX_RETRIES: u32 = 3;
/// The longest first pause.
const BACKOFF_BASE: Duration = Duration::from_millis(100);
/// The longest pause of all.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Why one try failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may go better the next time.
    Passing(String),
    /// It is not to be had, now or in a second.
    Lasting(String),
    /// It must not be had, or our own side failed.
    Refused(ArtifactError),
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        Self::Refused(error)
    }
}

/// The tries of one fetch, all of them before one deadline.
pub(crate) struct Retries<'a> {
    location: &'a str,
    deadline: Instant,
    attempts: u32,
    last_cause: Option<String>,
}

impl<'a> Retries<'a> {
    /// `location` is what errors show.
    pub(crate) fn new(location: &'a str, deadline: Instant) -> Self {
        Self { location, deadline, attempts: 0, last_cause: None }
    }

    /// Runs one try up to the deadline. `Ok(None)` says to try again, after the
    /// pause that was made.
    pub(crate) async fn attempt<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, ArtifactError> {
        self.attempts += 1;
        match tokio::time::timeout_at(self.deadline, attempt).await {
            Ok(Ok(done)) => return Ok(Some(done)),
            Ok(Err(Failure::Refused(error))) => return Err(error),
            Ok(Err(Failure::Lasting(cause))) => return Err(self.unavailable(cause)),
            Ok(Err(Failure::Passing(cause))) => self.last_cause = Some(cause),
            Err(_) => return Err(self.out_of_time()),
        }
        tracing::debug!(
            location = self.location,
            attempt = self.attempts,
            cause = self.last_cause,
            "fetch failed"
        );
        if self.attempts > MAX_RETRIES {
            return Err(self.unavailable(self.last_cause.clone().unwrap_or_default()));
        }
        let resume = Instant::now() + backoff(self.attempts);
        if resume >= self.deadline {
            return Err(self.out_of_time());
        }
        tokio::time::sleep_until(resume).await;
        Ok(None)
    }

    /// The deadline passed.
    pub(crate) fn out_of_time(&self) -> ArtifactError {
        let last = self.last_cause.as_ref().map(|cause| format!("; before that: {cause}"));
        self.unavailable(format!("the time for the fetch was over{}", last.unwrap_or_default()))
    }

    fn unavailable(&self, cause: String) -> ArtifactError {
        ArtifactError::Unavailable { location: self.location.to_owned(), cause, attempts: self.attempts }
    }
}

/// The pause before the `retry`-th retry, counted from 1: exponential with full
/// jitter (Brooker, "Exponential Backoff and Jitter"), so that hosts which
/// failed together do not come back together.
fn backoff(retry: u32) -> Duration {
    let ceiling = backoff_ceiling(retry);
    rand::random_range(Duration::ZERO..=ceiling)
}

fn backoff_ceiling(retry: u32) -> Duration {
    let doublings = retry.saturating_sub(1).min(31);
    BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let ceilings = [1, 2, 3, 4, 5, 6, 7, u32::MAX].map(|retry| backoff_ceiling(retry).as_millis());
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert!((0..1000).all(|_| backoff(2) <= Duration::from_millis(200)));
        assert!((0..1000).any(|_| backoff(2) > Duration::from_millis(100)));
    }
}
