//! When an asynchronous execution runs, and where its callback goes.

use super::bounds::{URL_MAX_BYTES, bounded};
use crate::error::ApiError;
use pilum_execution::{Mode, Schedule};
use pilum_proto::pilum::v1::Priority as WirePriority;
use pilum_proto::spearlet::ExecutionContext;
use pilum_types::Priority;
use prost_types::Timestamp;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How far in the future `not_before` may be. A caller that mixes up units (seconds and
/// milliseconds) gets an error.
const NOT_BEFORE_MAX: Duration = Duration::from_secs(366 * 86_400);
/// How far in the future `deadline` may be. A later deadline would have no effect in
/// practice.
const DEADLINE_MAX: Duration = Duration::from_secs(3_660 * 86_400);

/// Reads the fields of a context that are for ASYNC only.
pub(super) fn schedule(
    context: &mut ExecutionContext,
    mode: Mode,
) -> Result<(Schedule, Option<Arc<str>>), ApiError> {
    if mode != Mode::Async {
        check_async_fields_are_absent(context)?;
        return Ok((Schedule::default(), None));
    }
    let not_before = time("context.not_before", context.not_before)?;
    let latest = SystemTime::now() + NOT_BEFORE_MAX;
    if not_before.is_some_and(|at| at > latest) {
        let days = NOT_BEFORE_MAX.as_secs() / 86_400;
        return Err(ApiError::field("context.not_before", format!("must be at most {days} days ahead")));
    }
    let deadline = time("context.deadline", context.deadline)?;
    if deadline.is_some_and(|at| at > SystemTime::now() + DEADLINE_MAX) {
        let days = DEADLINE_MAX.as_secs() / 86_400;
        return Err(ApiError::field(
            "context.deadline",
            format!("must be at most {days} days ahead; leave it out for none"),
        ));
    }
    if let (Some(not_before), Some(deadline)) = (not_before, deadline)
        && deadline <= not_before
    {
        return Err(ApiError::field("context.deadline", "must be after context.not_before"));
    }
    let url = bounded("context.callback_url", std::mem::take(&mut context.callback_url), URL_MAX_BYTES)?;
    let callback = (!url.is_empty()).then(|| url.into());
    Ok((Schedule { priority: priority(context.priority)?, not_before, deadline }, callback))
}

fn check_async_fields_are_absent(context: &ExecutionContext) -> Result<(), ApiError> {
    let given = [
        ("context.priority", context.priority != 0),
        ("context.not_before", context.not_before.is_some()),
        ("context.deadline", context.deadline.is_some()),
        ("context.callback_url", !context.callback_url.is_empty()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((field, _)) => Err(ApiError::field(field, "is for ASYNC only; leave it out")),
        None => Ok(()),
    }
}

fn priority(number: i32) -> Result<Priority, ApiError> {
    match WirePriority::try_from(number) {
        Ok(WirePriority::Low) => Ok(Priority::Low),
        Ok(WirePriority::Unspecified | WirePriority::Normal) => Ok(Priority::Normal),
        Ok(WirePriority::High) => Ok(Priority::High),
        Ok(WirePriority::Urgent) => Ok(Priority::Urgent),
        Err(_) => {
            let reason = format!("is {number}, must be LOW (1), NORMAL (2), HIGH (3) or URGENT (4)");
            Err(ApiError::field("context.priority", reason))
        }
    }
}

fn time(field: &str, timestamp: Option<Timestamp>) -> Result<Option<SystemTime>, ApiError> {
    let Some(timestamp) = timestamp else { return Ok(None) };
    match SystemTime::try_from(timestamp) {
        Ok(time) if time >= SystemTime::UNIX_EPOCH => Ok(Some(time)),
        _ => Err(ApiError::field(field, "is not a time after 1970")),
    }
}
