//! Retries: which errors are retried, how often, after which pause, until when.

use crate::ArtifactError;
use std::time::Duration;
use tokio::time::Instant;

/// Retries after the first attempt. With the pauses below they span about two seconds,
/// longer than the restart of a server or a short overload.
const RETRIES_MAX: u32 = 3;
/// The longest pause before the first retry.
const BACKOFF_BASE: Duration = Duration::from_millis(100);
/// The longest pause before any retry.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Why one attempt failed.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// Another attempt may succeed.
    Transient(String),
    /// Another attempt within seconds fails the same way.
    Permanent(String),
    /// The artifact is refused, or the host itself failed. Ends the fetch as it is.
    Artifact(ArtifactError),
}

/// The attempts of one fetch, all of them before one deadline.
pub(crate) struct Retries<'a> {
    location: &'a str,
    deadline: Instant,
    attempts: u32,
    last_cause: Option<String>,
}

impl From<ArtifactError> for AttemptError {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(error)
    }
}

impl<'a> Retries<'a> {
    /// Errors show `location`, so it must hold no secret.
    pub(crate) fn new(location: &'a str, deadline: Instant) -> Self {
        Self { location, deadline, attempts: 0, last_cause: None }
    }

    /// Runs one attempt up to the deadline. `Ok(None)` means that the attempt failed,
    /// that the pause is over, and that the caller makes the next attempt.
    pub(crate) async fn attempt<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, AttemptError>>,
    ) -> Result<Option<T>, ArtifactError> {
        self.attempts += 1;
        match tokio::time::timeout_at(self.deadline, attempt).await {
            Ok(Ok(done)) => return Ok(Some(done)),
            Ok(Err(AttemptError::Artifact(error))) => return Err(error),
            Ok(Err(AttemptError::Permanent(cause))) => return Err(self.unavailable(cause)),
            Ok(Err(AttemptError::Transient(cause))) => self.last_cause = Some(cause),
            Err(_) => return Err(self.timed_out()),
        }
        tracing::debug!(
            location = self.location,
            attempt = self.attempts,
            cause = self.last_cause,
            "fetch failed"
        );
        if self.attempts > RETRIES_MAX {
            return Err(self.unavailable(self.last_cause.clone().unwrap_or_default()));
        }
        let resume = Instant::now() + backoff(self.attempts);
        if resume >= self.deadline {
            return Err(self.timed_out());
        }
        tokio::time::sleep_until(resume).await;
        Ok(None)
    }

    /// The error of a fetch whose deadline passed.
    pub(crate) fn timed_out(&self) -> ArtifactError {
        let last = self.last_cause.as_ref().map(|cause| format!("; before that: {cause}"));
        self.unavailable(format!("the time for the fetch was over{}", last.unwrap_or_default()))
    }

    fn unavailable(&self, cause: String) -> ArtifactError {
        ArtifactError::Unavailable { location: self.location.to_owned(), cause, attempts: self.attempts }
    }
}

/// The pause before the `retry`-th retry, counted from 1: exponential with full
/// jitter (Brooker, "Exponential Backoff and Jitter"), so that hosts that failed at the
/// same moment do not retry at the same moment.
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
