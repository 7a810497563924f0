//! What is refused before a connection is made.

use super::*;
use crate::resolver::Lookup;
use std::net::{IpAddr, SocketAddr, TcpListener};

#[test]
fn urls_are_checked_by_their_text() {
    let check = |url: &str, says: Option<&str>| match (Outbound::check(url, false), says) {
        (Ok(()), None) => {}
        (Err(error), Some(says)) => {
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(error.is_refused(), "{url}: {error:?}");
        }
        (found, _) => panic!("{url}: {found:?}"),
    };
    check("https://example.com/hook?a=1", None);
    check("file:///etc/passwd", Some("https: or http:"));
    check("http://127.0.0.1/", Some("not public"));
    check("http://[::ffff:10.0.0.1]/", Some("not public"));
    check("http://2130706433/", Some("not public"));
    check("https://user:word@example.com/", Some("credentials"));
    check("gopher://example.com/", Some("gopher"));
    check("https:/example.com", Some("scheme://"));
    assert!(Outbound::check("http://127.0.0.1/", true).is_ok());
}

/// Sends each kind of request to a server that must not be connected to.
async fn check_refused(outbound: &Outbound, url: &str, host: &str) {
    let refused = Err(OutboundError::AddressNotPublic { host: host.to_owned() });
    let url_parsed = parse_url(url).unwrap();
    assert_eq!(outbound.get(&url_parsed).await.map(drop), refused, "get {url}");
    let posted = outbound.post(url, &[], Vec::new(), Duration::from_secs(5)).await;
    assert_eq!(posted, refused, "post {url}");
    let request = http::Request::get(url).body(String::new()).unwrap();
    assert_eq!(outbound.send(request).await.map(drop), refused, "send {url}");
}

#[tokio::test]
async fn no_kind_of_request_reaches_a_private_address() {
    let private = TcpListener::bind("127.0.0.1:0").unwrap();
    private.set_nonblocking(true).unwrap();
    let port = private.local_addr().unwrap().port();
    let lookup: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0)]) }));
    let outbound = Outbound::with_resolver(Resolver::new(crate::is_public, lookup)).unwrap();
    check_refused(&outbound, &format!("http://127.0.0.1:{port}/"), "127.0.0.1").await;
    check_refused(&outbound, &format!("http://name.test:{port}/"), "name.test").await;
    assert!(private.accept().is_err(), "nothing connects");
}

#[tokio::test]
async fn a_refused_connection_may_pass() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let outbound = Outbound::new(true).unwrap();
    let error = outbound.get(&parse_url(&url).unwrap()).await.unwrap_err();
    assert!(matches!(error, OutboundError::NotConnected(_)), "{error:?}");
    assert!(!error.is_refused());
}
