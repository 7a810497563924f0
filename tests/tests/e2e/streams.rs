//! Output that is read while it is written.

use pilum_client::{Chunk, Chunks};
use pilum_tests::{Functions, Host, idle, resident_bytes, until};
use pilum_types::{Output, State};
use serde_json::json;
use std::time::{Duration, Instant};

const FORMS: [&str; 2] = ["stream-cases.command.wasm", "stream-cases.wasm"];

async fn stream(functions: &Functions, function: &str, parameters: serde_json::Value) -> Chunks {
    let call = functions.call(function, parameters).unwrap();
    functions.client().stream(call).await.unwrap()
}

async fn chunk(chunks: &mut Chunks) -> Vec<u8> {
    match chunks.next().await.unwrap() {
        Some(Chunk::Output(Output::Raw(bytes))) => bytes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lines_arrive_while_the_command_runs() {
    let host = Host::start().await.unwrap();
    for form in FORMS {
        let functions = Functions::of_guest(&host, form).await.unwrap();
        let began = Instant::now();
        let mut chunks = stream(&functions, "lines", json!({"count": 3, "pause_ms": 400})).await;
        assert_eq!(chunk(&mut chunks).await, b"line 0\n", "{form}");
        assert_eq!(chunk(&mut chunks).await, b"line 1\n", "{form}");
        let second = began.elapsed();
        assert_eq!(chunk(&mut chunks).await, b"line 2\n", "{form}");
        // The guest slept after the second line was received.
        assert!(began.elapsed() - second >= Duration::from_millis(200), "{form}");
        match chunks.next().await.unwrap() {
            Some(Chunk::End { state: State::Completed, metadata, .. }) => {
                assert!(metadata.contains_key("guest_us"), "{form}: {metadata:?}");
            }
            other => panic!("{form}: {other:?}"),
        }
        assert!(chunks.next().await.unwrap().is_none(), "{form}");
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_guest_and_costs_no_memory() {
    let host = Host::start().await.unwrap();
    let functions = Functions::of_guest(&host, FORMS[0]).await.unwrap();
    let warm = stream(&functions, "flood", json!({"kib": 1024})).await;
    drop(warm);
    let before = resident_bytes(host.pid().unwrap()).unwrap();
    let mut chunks = stream(&functions, "flood", json!({"kib": 1 << 20})).await;
    assert!(chunk(&mut chunks).await.len() <= 64 << 10);
    let client = functions.client();
    // The output is in bounded buffers, and the guest waits for its reader.
    let mut settled = 0;
    until("the memory of the host to stop growing", async || {
        let now = resident_bytes(host.pid().unwrap())?;
        let still = now.abs_diff(settled) < 64 << 10;
        settled = now;
        Ok(still.then_some(()))
    })
    .await
    .unwrap();
    assert!(settled < before + (24 << 20), "{before} {settled}");
    assert_eq!(client.health().await.unwrap().running, 1);
    drop(chunks);
    idle(client).await.unwrap();
}

#[tokio::test]
async fn large_output_arrives_complete() {
    let host = Host::start().await.unwrap();
    for form in FORMS {
        let functions = Functions::of_guest(&host, form).await.unwrap();
        let mut chunks = stream(&functions, "flood", json!({"kib": 100_000})).await;
        let mut bytes = 0;
        loop {
            match chunks.next().await.unwrap() {
                Some(Chunk::Output(Output::Raw(chunk))) => bytes += chunk.len(),
                Some(Chunk::End { state, .. }) => {
                    assert_eq!((state, bytes), (State::Completed, 100_000 << 10), "{form}");
                    break;
                }
                other => panic!("{form}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_failure_comes_after_the_output() {
    let host = Host::start().await.unwrap();
    let functions = Functions::of_guest(&host, FORMS[0]).await.unwrap();
    let mut chunks = stream(&functions, "fail", json!({})).await;
    assert_eq!(chunk(&mut chunks).await, b"before the end\n");
    match chunks.next().await.unwrap() {
        Some(Chunk::End { state: State::Failed, metadata, error_message, .. }) => {
            assert_eq!(metadata.get("error_code").map(String::as_str), Some("GUEST_EXIT"));
            assert!(error_message.contains("exit code 3"), "{error_message}");
        }
        other => panic!("{other:?}"),
    }
}
