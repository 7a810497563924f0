//! The whole table, as a snapshot: every error with what a client gets for it.

use super::*;
use pilum_types::{Digest, TaskName};

fn every_error() -> Vec<ApiError> {
    let digest = |byte| Digest::from_bytes([byte; 32]);
    let second = Duration::from_secs(1);
    let request_errors = vec![
        RequestError::InvalidArgument { field: RequestField::Timeout, reason: "too long".into() },
        RequestError::TaskNotFound { id: "task-1".into() },
        RequestError::RevisionNotFound { number: Some(9), kept: vec![1, 2] },
        RequestError::NameTaken {
            name: TaskName::parse("mail").expect("a name"),
            existing: digest(1),
            offered: digest(2),
        },
        RequestError::TooManyTasks { max: 10_000 },
        PrepareError::InvalidSource { field: RequestField::ArtifactLocation, reason: "no scheme".into() }
            .into(),
        PrepareError::Unavailable("connection refused".into()).into(),
        PrepareError::ChecksumMismatch { expected: digest(1), found: digest(2) }.into(),
        PrepareError::InvalidCode("unexpected end at offset 0x8".into()).into(),
        PrepareError::Internal("SECRET path".into()).into(),
        BindError::FunctionNotFound { name: "sub".into(), exported: vec!["add: func()".into()] }.into(),
        BindError::Ambiguous { name: "f".into(), candidates: vec!["a#f".into(), "b#f".into()] }.into(),
        BindError::Parameter { path: "items[3].price".into(), reason: "expected u32".into() }.into(),
        RequestError::NoSlot { slots: 100, retry_after: second },
        RequestError::QueueFull { max_queue_size: 1000, retry_after: 2 * second },
        RequestError::OutOfSpace { max_bytes: 1 << 32, retry_after: 60 * second },
        RequestError::DiskFull { retry_after: 60 * second },
        RequestError::ExecutionExists { id: "exec-1".into() },
        RequestError::Draining,
        RequestError::Internal("SECRET text".into()),
    ];
    let mut all = vec![
        ApiError::field("parameters[0].value", "is missing"),
        ApiError::ExecutionNotFound { id: "exec-1".into() },
        ApiError::DeadLetterNotFound { id: "exec-1".into() },
    ];
    all.extend(request_errors.into_iter().map(ApiError::from));
    all.extend([
        ApiError::RequestBytesExhausted,
        ApiError::RequestBodyTimeout,
        ApiError::PathNotFound,
        ApiError::HostHeaderNotText,
        ApiError::ResponseTimeout,
        ApiError::MetricsNotWritten,
        ApiError::HandlerInformationalStatus,
    ]);
    all.extend(FailureCode::ALL.iter().map(|&code| ApiError::HandlerFailed { code }));
    all
}

#[test]
fn the_table() {
    let mut table = String::new();
    for error in every_error() {
        let ErrorStatus { http, json_code, .. } = ErrorStatus::from(&error);
        let status = Status::from(error);
        let details = status.get_error_details_vec();
        table += &format!("{:?} {} {json_code} {}\n", status.code(), http.as_u16(), status.message());
        for detail in details {
            table += &format!("    {detail:?}\n");
        }
    }
    assert!(!table.contains("SECRET"));
    insta::assert_snapshot!(table);
}

#[test]
fn texts_are_cut_to_what_headers_carry() {
    let exported = (0..100_000).map(|i| format!("function{i}: func()")).collect();
    let error = RequestError::Bind(BindError::FunctionNotFound { name: "é".repeat(128), exported });
    let status = Status::from(ApiError::from(error));
    assert!(status.message().ends_with(" … (cut)"));
    assert!(status.message().len() <= MESSAGE_MAX_BYTES);
    assert!(status.details().len() < 2 * MESSAGE_MAX_BYTES);
    assert_eq!(clip("ééé", 6), "ééé");
}
