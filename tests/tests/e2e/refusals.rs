//! Requests that never become an execution. Each refusal has the code that the
//! contract gives it, names the wrong field, and creates nothing.

mod bounds;
mod capacity;
mod code;
mod ids;
mod names;
mod parameters;
mod targets;

use pilum_proto::spearlet::InvokeFunctionRequest;
use pilum_tests::wire::{RawClient, census};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Checks that the host refuses `request` with this code, with a
/// `google.rpc.BadRequest` that names `field` (without one if `field` is empty), with a
/// message that contains all of `says`, and that nothing is created.
async fn check(client: &RawClient, request: InvokeFunctionRequest, code: Code, field: &str, says: &[&str]) {
    let before = census(client).await.unwrap();
    let what = format!("expected {code:?} of {field:?} saying {says:?}");
    let status = match client.clone().invoke_function(request).await {
        Ok(answer) => panic!("{what}, got {:?}", answer.into_inner()),
        Err(status) => status,
    };
    check_status(&status, code, field, says);
    assert_eq!(census(client).await.unwrap(), before, "{what}: something was created");
}

fn check_status(status: &Status, code: Code, field: &str, says: &[&str]) {
    let what = format!("expected {code:?} of {field:?} saying {says:?}, got {status:?}");
    assert_eq!(status.code(), code, "{what}");
    for text in says {
        assert!(status.message().contains(text), "{what}");
    }
    let named: Vec<_> = status
        .get_details_bad_request()
        .map(|details| details.field_violations)
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    let expected: &[&str] = if field.is_empty() { &[] } else { &[field] };
    assert_eq!(named, expected, "{what}");
    // Every INVALID_ARGUMENT names the field to change, and no other code does.
    assert_eq!(code == Code::InvalidArgument, !field.is_empty(), "{what}");
}
