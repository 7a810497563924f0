//! Telling somebody of an execution's end: which are due, and when again.

use crate::core::Core;
use crate::{Callback, RequestError, Runtime, Store};
use std::time::Duration;
use tokio::time::Instant;

/// How often a callback is tried: over one to three hours, so that a
/// receiver may be deployed anew meanwhile.
const TRIES_MAX: u32 = 8;
/// The longest wait after the first try; each further is four times as long.
const WAIT_FIRST: Duration = Duration::from_secs(2);
/// How long the store goes unasked when nothing is known to be due.
const ASK_AGAIN: Duration = Duration::from_secs(30);

impl<R: Runtime, S: Store> Core<R, S> {
    /// Waits until a callback is due and takes it.
    pub(crate) async fn next_callback(&self) -> Result<Callback, RequestError> {
        loop {
            let mut due = self.store.due_callbacks(self.clock.now(), 1).await?;
            if let Some(callback) = due.callbacks.pop() {
                return Ok(callback);
            }
            let latest = Instant::now() + ASK_AGAIN;
            let next = due.next_due.map_or(latest, |at| self.clock.instant(at).min(latest));
            tokio::select! {
                () = self.callback_due.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Takes note of how a try went; returns whether another follows.
    pub(crate) async fn callback_tried(
        &self,
        callback: &Callback,
        again: bool,
    ) -> Result<bool, RequestError> {
        let tries = callback.tries + 1;
        if !again || tries >= TRIES_MAX {
            self.store.end_callback(callback.number).await?;
            return Ok(false);
        }
        let at = self.clock.now() + wait_after(tries).mul_f64(0.5 + rand::random::<f64>() / 2.0);
        self.store.put_off_callback(callback.number, tries, at).await?;
        self.callback_due.notify_one();
        Ok(true)
    }
}

fn wait_after(tries: u32) -> Duration {
    WAIT_FIRST.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_spread_over_an_hour_and_more() {
        let waits: Vec<u64> = (1..TRIES_MAX).map(|tries| wait_after(tries).as_secs()).collect();
        assert_eq!(waits, [2, 8, 32, 128, 512, 2048, 8192]);
        assert_eq!(wait_after(u32::MAX), WAIT_FIRST.saturating_mul(u32::MAX));
    }
}
