//! The connection limiter under paused time.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const TIMEOUT: Duration = Duration::from_secs(5);

type Admitted = AdmittedConnection<DuplexStream, OwnedSemaphorePermit>;

fn limiter(connections_max: usize) -> ConnectionLimiter {
    let limits = GatewayLimits { connections_max, handshake_timeout: TIMEOUT, ..GatewayLimits::default() };
    ConnectionLimiter::new(&limits, 3)
}

/// A client's end, and the server's end if the limiter admits it.
async fn connect(limiter: &mut ConnectionLimiter) -> (DuplexStream, Option<Admitted>) {
    let (client, server) = tokio::io::duplex(64);
    (client, limiter.admit(server).await)
}

async fn read(connection: &mut Admitted) -> io::Result<usize> {
    connection.read(&mut [0; 16]).await
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_at_the_handshake_timeout() {
    let mut limiter = limiter(1);
    let (mut client, connection) = connect(&mut limiter).await;
    let mut connection = connection.expect("a place");
    client.write_all(b"ab").await.expect("written");
    assert_eq!(read(&mut connection).await.expect("two bytes, one short"), 2);
    let since = tokio::time::Instant::now();
    assert_eq!(read(&mut connection).await.expect_err("too slow").kind(), io::ErrorKind::TimedOut);
    assert_eq!(since.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_completed_its_handshake_may_be_silent() {
    let mut limiter = limiter(1);
    let (mut client, connection) = connect(&mut limiter).await;
    let mut connection = connection.expect("a place");
    client.write_all(b"abc").await.expect("written");
    assert_eq!(read(&mut connection).await.expect("three bytes"), 3);
    assert!(tokio::time::timeout(100 * TIMEOUT, read(&mut connection)).await.is_err(), "still open");
}

#[tokio::test(start_paused = true)]
async fn a_full_limiter_evicts_only_the_oldest_connection_in_its_handshake() {
    let mut limiter = limiter(2);
    let (mut client, spoken) = connect(&mut limiter).await;
    let mut spoken = spoken.expect("a place");
    client.write_all(b"abc").await.expect("written");
    read(&mut spoken).await.expect("spoken");

    let (_silent_client, silent) = connect(&mut limiter).await;
    let mut silent = silent.expect("the second place");
    // The task of the evicted connection gets the error and drops the connection.
    let evicted = async move {
        let error = read(&mut silent).await.expect_err("evicted");
        drop(silent);
        error.kind()
    };
    let ((_client, third), kind) = tokio::join!(connect(&mut limiter), evicted);
    assert_eq!(kind, io::ErrorKind::TimedOut);
    let mut third = third.expect("the place of the evicted connection");
    let mut third_client = _client;
    third_client.write_all(b"abc").await.expect("written");
    read(&mut third).await.expect("spoken");

    let (_client, fourth) = connect(&mut limiter).await;
    assert!(fourth.is_none(), "every client has completed its handshake");
    drop(spoken);
    let (_client, fifth) = connect(&mut limiter).await;
    assert!(fifth.is_some(), "a place became free");
}
