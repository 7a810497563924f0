//! The gate under paused time.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const TIMEOUT: Duration = Duration::from_secs(5);

type Admitted = Held<DuplexStream, OwnedSemaphorePermit>;

fn gate(connections_max: usize) -> Gate {
    let limits = GatewayLimits { connections_max, handshake_timeout: TIMEOUT, ..GatewayLimits::default() };
    Gate::new(&limits, 3)
}

/// A client's end and what the gate made of the server's.
async fn connect(gate: &mut Gate) -> (DuplexStream, Option<Admitted>) {
    let (client, server) = tokio::io::duplex(64);
    (client, gate.admit(server).await)
}

async fn read(connection: &mut Admitted) -> io::Result<usize> {
    connection.read(&mut [0; 16]).await
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_at_the_handshake_timeout() {
    let mut gate = gate(1);
    let (mut client, connection) = connect(&mut gate).await;
    let mut connection = connection.expect("a place");
    client.write_all(b"ab").await.expect("written");
    assert_eq!(read(&mut connection).await.expect("two bytes, one short"), 2);
    let since = tokio::time::Instant::now();
    assert_eq!(read(&mut connection).await.expect_err("too slow").kind(), io::ErrorKind::TimedOut);
    assert_eq!(since.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_spoken_may_be_silent() {
    let mut gate = gate(1);
    let (mut client, connection) = connect(&mut gate).await;
    let mut connection = connection.expect("a place");
    client.write_all(b"abc").await.expect("written");
    assert_eq!(read(&mut connection).await.expect("three bytes"), 3);
    assert!(tokio::time::timeout(100 * TIMEOUT, read(&mut connection)).await.is_err(), "still open");
}

#[tokio::test(start_paused = true)]
async fn a_full_gate_evicts_the_oldest_silent_one_only() {
    let mut gate = gate(2);
    let (mut client, spoken) = connect(&mut gate).await;
    let mut spoken = spoken.expect("a place");
    client.write_all(b"abc").await.expect("written");
    read(&mut spoken).await.expect("spoken");

    let (_silent_client, silent) = connect(&mut gate).await;
    let mut silent = silent.expect("the second place");
    // The evicted connection's task sees the error and drops it.
    let evicted = async move {
        let error = read(&mut silent).await.expect_err("evicted");
        drop(silent);
        error.kind()
    };
    let ((_client, third), kind) = tokio::join!(connect(&mut gate), evicted);
    assert_eq!(kind, io::ErrorKind::TimedOut);
    let mut third = third.expect("the evicted one's place");
    let mut third_client = _client;
    third_client.write_all(b"abc").await.expect("written");
    read(&mut third).await.expect("spoken");

    let (_client, fourth) = connect(&mut gate).await;
    assert!(fourth.is_none(), "all have spoken");
    drop(spoken);
    let (_client, fifth) = connect(&mut gate).await;
    assert!(fifth.is_some(), "a place became free");
}
