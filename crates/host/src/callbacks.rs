//! Callbacks: sends the end of an execution to the URL that its caller gave, in the form
//! of Standard Webhooks (<https://www.standardwebhooks.com/>).
//!
//! The execution layer decides which callback is due and when it is tried again. This
//! file signs and sends.

use crate::wiring::HostExecutions;
use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use pilum_execution::Callback;
use pilum_gateway::status_json;
use pilum_outbound::{Outbound, OutboundError};
use sha2::Sha256;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Callbacks under way at once: enough that some receivers may hang.
const CONCURRENT_MAX: usize = 32;
/// The longest body, in bytes: receivers commonly take that much. A longer result is left
/// out; the receiver reads it by the execution's id.
const BODY_MAX_BYTES: usize = 1 << 20;
/// How long a receiver may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The pause after an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The prefix of a secret, by the standard.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret that this host makes.
const SECRET_BYTES: usize = 32;
/// The fewest bytes that a secret may have, by the standard.
const SECRET_MIN_BYTES: usize = 24;

/// Signs and sends callbacks.
pub(crate) struct CallbackSender {
    executions: Arc<HostExecutions>,
    outbound: Outbound,
    secret: Vec<u8>,
}

impl CallbackSender {
    /// Reads the secret of the data directory, or makes one. The operator sets
    /// `allow_private`, which allows callbacks to addresses that are not public.
    ///
    /// # Errors
    /// When the secret cannot be read or written or has the wrong form.
    pub(crate) fn new(executions: Arc<HostExecutions>, data_dir: &Path, allow_private: bool) -> Result<Self> {
        let outbound = Outbound::new(allow_private).context("the client for callbacks")?;
        let path = data_dir.join("callback-secret");
        let secret = secret(&path).with_context(|| format!("the secret of callbacks, {}", path.display()))?;
        Ok(Self { executions, outbound, secret })
    }

    /// Sends callbacks until `stop` is cancelled. Then it aborts the callbacks under way
    /// and waits for their tasks. The store keeps an aborted callback, so it is sent
    /// again after the next start.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let sender = Arc::new(self);
        let mut deliveries = JoinSet::new();
        let _stopped = stop.run_until_cancelled(sender.deliver_due(&mut deliveries)).await;
        deliveries.shutdown().await;
    }

    /// Starts a delivery for each callback that is due. Never returns.
    async fn deliver_due(self: &Arc<Self>, deliveries: &mut JoinSet<()>) {
        // Bounds the deliveries at once. Never closed.
        let permits = Arc::new(Semaphore::new(CONCURRENT_MAX));
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            while deliveries.try_join_next().is_some() {}
            match self.executions.callbacks().next().await {
                Ok(callback) => {
                    let sender = Arc::clone(self);
                    deliveries.spawn(async move {
                        sender.deliver(&callback).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "callbacks cannot be read");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    async fn deliver(&self, callback: &Callback) {
        let id = callback.execution.id.as_str();
        let sent = self.send(callback).await;
        let retry = sent.as_ref().is_err_and(|error| !error.is_refused());
        // Without a record the callback would be sent again, so this does not give up.
        let is_tried_again = loop {
            match self.executions.callbacks().tried(callback, retry).await {
                Ok(is_tried_again) => break is_tried_again,
                Err(error) => {
                    tracing::error!(id, %error, "the result of a callback is not recorded yet");
                }
            }
            tokio::time::sleep(STORE_PAUSE).await;
        };
        match sent {
            Ok(()) => {}
            Err(cause) if cause.is_refused() => {
                tracing::warn!(id, %cause, "a callback has a URL that this host sends nothing to");
            }
            Err(cause) if is_tried_again => tracing::debug!(id, %cause, "a callback failed"),
            Err(cause) => tracing::warn!(id, %cause, tries = callback.tries + 1, "a callback is given up"),
        }
    }

    async fn send(&self, callback: &Callback) -> Result<(), OutboundError> {
        let id = callback.execution.id.as_str();
        let body = status_json(&callback.execution, BODY_MAX_BYTES);
        let sent_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", sent_at.to_string()),
            ("webhook-signature", sign(&self.secret, id, sent_at, &body)),
        ];
        self.outbound.post(&callback.url, &headers, body, ANSWER_TIMEOUT).await
    }
}

/// The signature of a message, as the header has it. `sent_at` is in Unix seconds.
fn sign(secret: &[u8], id: &str, sent_at: u64, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(format!("{id}.{sent_at}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn secret(path: &Path) -> Result<Vec<u8>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let bytes: [u8; SECRET_BYTES] = rand::random();
            let text = format!("{SECRET_PREFIX}{}\n", STANDARD.encode(bytes));
            // Only the user that runs the host may read it.
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            text
        }
        Err(error) => return Err(error.into()),
    };
    let secret = text.trim().strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let secret = secret.with_context(|| format!("it must hold {SECRET_PREFIX} and base64"))?;
    ensure!(secret.len() >= SECRET_MIN_BYTES, "it must have at least {SECRET_MIN_BYTES} bytes");
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own documentation.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_made_once_and_a_bad_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("callback-secret");
        let made = secret(&path).unwrap();
        assert_eq!((made.len(), secret(&path).unwrap()), (SECRET_BYTES, made));
        for bad in ["", "whsec_", "whsec_short", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            std::fs::write(&path, bad).unwrap();
            assert!(secret(&path).is_err(), "{bad:?}");
        }
    }
}
