//! How long an HTTP status request waits for the end of the execution.

use crate::error::ApiError;
use std::collections::HashMap;
use std::time::Duration;

/// The longest wait: proxies commonly close a request that is silent for longer.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The `wait` of a query: `30s`, `1500ms`, or a number of seconds; without it, zero. Any
/// other key is an error.
pub(crate) fn wait(query: &HashMap<String, String>) -> Result<Duration, ApiError> {
    if let Some(key) = query.keys().find(|key| *key != "wait") {
        return Err(ApiError::field(key.as_str(), "is not known; the only key is `wait`"));
    }
    let Some(text) = query.get("wait") else { return Ok(Duration::ZERO) };
    let (digits, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1000),
        (None, None) => (text.as_str(), 1000),
    };
    let ms: Option<u64> = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit_ms));
    let wait = ms.map(Duration::from_millis).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| {
        let max = WAIT_MAX.as_secs();
        ApiError::field("wait", format!("is {text:?}, must be like 30s or 1500ms, at most {max}s"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Option<u64>) {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(wait(&query).ok(), expected.map(Duration::from_millis), "{query:?}");
    }

    #[test]
    fn waits_are_read_with_their_unit() {
        check("", Some(0));
        check("wait=30s", Some(30_000));
        check("wait=30", Some(30_000));
        check("wait=1500ms", Some(1_500));
        check("wait=60s", Some(60_000));
        for bad in
            ["wait=", "wait=61s", "wait=-1", "wait=1m", "wait=1.5s", "wait=99999999999999999999s", "w=1"]
        {
            check(bad, None);
        }
    }
}
