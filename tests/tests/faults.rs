//! The host on a disk that fails and with a clock that jumps.

use anyhow::Result;
use pilum_client::{Code, Mode};
use pilum_tests::kill::{HostRun, run_hosts};
use pilum_tests::{Functions, Host, ended, faults};
use pilum_types::State;
use serde_json::json;
use std::time::{Duration, Instant, SystemTime};

const EIO: u32 = 5;
const ENOSPC: u32 = 28;
const DAY: i64 = 86_400;

/// One write to the store fails in each host, which is under load.
#[tokio::test]
async fn no_accepted_execution_is_lost_when_a_write_fails() {
    let folder = tempfile::tempdir().unwrap();
    let library = faults::library(folder.path()).unwrap().display().to_string();
    let host_run = |(write, errno): (u32, u32)| HostRun {
        load_time: Duration::from_millis(150),
        environment: vec![
            ("LD_PRELOAD".to_owned(), library.clone()),
            ("PILUMTEST_FAULT".to_owned(), format!("write:{write}:{errno}")),
        ],
        is_terminated: false,
    };
    let writes = (1..=24).chain((30..200).step_by(17));
    let all = writes.flat_map(|write| [(write, EIO), (write, ENOSPC)]);
    // The first host creates the store, which takes many writes.
    let first = HostRun { load_time: Duration::from_millis(150), ..HostRun::default() };
    let found = run_hosts(std::iter::once(first).chain(all.map(host_run))).await.unwrap();
    assert!(found.is_good(), "{found:#?}");
    assert!(found.accepted > 100, "there was hardly any load: {found:#?}");
}

/// A host in which the n-th write or sync fails.
async fn failing(data: &std::path::Path, library: &std::path::Path, fault: &str) -> Result<Host> {
    let builder = Host::builder().data_dir(data).log(&data.join("log"));
    let builder = builder.env("LD_PRELOAD", &library.display().to_string());
    builder.env("PILUMTEST_FAULT", fault).start().await
}

#[tokio::test]
async fn a_full_disk_refuses_a_submission_and_later_ones_are_accepted() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let library = faults::library(folder.path()).unwrap();
    // The store is created before, because that takes many writes.
    Host::builder().data_dir(data.path()).start().await.unwrap().kill().await.unwrap();
    let mut refused = 0;
    // The number of the first submission's write depends on the start, so many are tried.
    for write in (1..40).step_by(2) {
        // A host that cannot write while it starts does not start.
        let fault = format!("write:{write}:{ENOSPC}");
        let Ok(host) = failing(data.path(), &library, &fault).await else { continue };
        let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
        for _ in 0..3 {
            let call = add.call("add", json!([1, 1])).unwrap().mode(Mode::Async);
            match add.client().invoke(call).await {
                Ok(accepted) => {
                    let report = ended(add.client(), &accepted.execution_id).await.unwrap();
                    assert_eq!(report.status.state, State::Completed);
                }
                Err(error) => {
                    assert_eq!(error.code(), Some(Code::ResourceExhausted), "{error}");
                    assert!(error.to_string().contains("disk is full"), "{error}");
                    refused += 1;
                }
            }
        }
        host.kill().await.unwrap();
    }
    assert!(refused > 0, "no submission was refused because of the full disk");
}

#[tokio::test]
async fn a_failed_sync_ends_the_host() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let library = faults::library(folder.path()).unwrap();
    // The store is created before; then each commit syncs once.
    Host::builder().data_dir(data.path()).start().await.unwrap().kill().await.unwrap();
    let host = failing(data.path(), &library, &format!("sync:6:{EIO}")).await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    let mut accepted = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let call = add.call("add", json!([1, 1])).unwrap().mode(Mode::Async);
        match add.client().invoke(call).await {
            Ok(invoked) => accepted.push(invoked.execution_id),
            Err(_) => break,
        }
    }
    assert_ne!(
        host.ended(Duration::from_secs(20)).await.unwrap(),
        Some(0),
        "the host must end with an error"
    );
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(log.contains("the store of executions failed"), "{log}");
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.client().await.unwrap();
    for id in &accepted {
        assert_eq!(ended(&client, id).await.unwrap().status.state, State::Completed);
    }
}

/// A jump of the wall clock while the host runs, and while it is down.
#[tokio::test]
async fn a_clock_that_jumps_changes_no_waiting_time() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let library = faults::library(folder.path()).unwrap().display().to_string();
    let clock = folder.path().join("clock");
    let start = async |offset: i64| {
        std::fs::write(&clock, offset.to_string()).unwrap();
        let builder = Host::builder().data_dir(data.path()).env("LD_PRELOAD", &library);
        let host = builder.env("PILUMTEST_CLOCK", &clock.display().to_string()).start().await.unwrap();
        let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
        (host, add)
    };
    let soon = |after: Duration| SystemTime::now() + after;
    let (host, add) = start(0).await;
    for jump in [DAY, -DAY] {
        std::fs::write(&clock, "0").unwrap();
        let call = || add.call("add", json!([1, 1])).unwrap().mode(Mode::Async);
        let due = add.client().invoke(call().not_before(soon(Duration::from_secs(2)))).await.unwrap();
        let in_time = soon(Duration::from_secs(30));
        let in_time = add.client().invoke(call().not_before(soon(Duration::from_secs(1))).deadline(in_time));
        let in_time = in_time.await.unwrap();
        std::fs::write(&clock, jump.to_string()).unwrap();
        let began = Instant::now();
        for id in [&in_time.execution_id, &due.execution_id] {
            let report = ended(add.client(), id).await.unwrap();
            assert_eq!(report.status.state, State::Completed, "{report:?}");
        }
        assert!(began.elapsed() > Duration::from_secs(1), "the execution ran before its time");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
    // After a restart with another time too, the execution runs two seconds later.
    let call = |add: &Functions| add.call("add", json!([1, 1])).unwrap().mode(Mode::Async);
    std::fs::write(&clock, "0").unwrap();
    let due = add.client().invoke(call(&add).not_before(soon(Duration::from_secs(2)))).await.unwrap();
    host.kill().await.unwrap();
    let (_host, add) = start(-DAY).await;
    let began = Instant::now();
    let report = ended(add.client(), &due.execution_id).await.unwrap();
    assert_eq!(report.status.state, State::Completed);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
