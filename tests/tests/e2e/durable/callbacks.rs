//! Callbacks to a real receiver.

use super::{script, submit};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use pilum_tests::{Functions, Host, Script, ended, until};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use std::path::Path;
use std::sync::{Arc, Mutex};

const PRIVATE: &str = "[callbacks]\nallow_private_addresses = true";

/// A received request: its headers and its body.
type Request = (HeaderMap, Vec<u8>);

/// Receives callbacks; answers the first `fails` of them with an error.
#[derive(Clone)]
struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<Request>>>,
    fails: usize,
}

impl Receiver {
    async fn start(fails: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/done?a=1", listener.local_addr().unwrap());
        let receiver = Self { url, received: Arc::default(), fails };
        let router = Router::new().route("/done", post(receive)).with_state(receiver.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    async fn after(&self, count: usize) -> Vec<Request> {
        until("callbacks", async || {
            let received = self.received.lock().unwrap().clone();
            Ok((received.len() >= count).then_some(received))
        })
        .await
        .unwrap()
    }
}

async fn receive(Shared(receiver): Shared<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut received = receiver.received.lock().unwrap();
    received.push((headers, body.to_vec()));
    if received.len() <= receiver.fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}

/// Checks the signature with the host's secret, as a receiver does.
fn verify(data: &Path, (headers, body): &Request) -> Json {
    let header = |name: &str| headers[name].to_str().unwrap();
    let secret = std::fs::read_to_string(data.join("callback-secret")).unwrap();
    let secret = STANDARD.decode(secret.trim().strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    let shown: Json = serde_json::from_slice(body).unwrap();
    assert_eq!(shown["execution_id"], header("webhook-id"));
    shown
}

#[tokio::test]
async fn a_callback_is_sent_for_every_kind_of_end() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::builder().config(PRIVATE).data_dir(data.path()).start().await.unwrap();
    let receiver = Receiver::start(0).await;
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    let exits = script(&host, "exits", &Script::exits(3)).await;
    submit(&add, add.call("add", json!([1, 2])).unwrap().callback(&receiver.url)).await;
    assert_eq!(verify(data.path(), &receiver.after(1).await[0])["result"], 3);
    submit(&exits, exits.call("run", json!(null)).unwrap().retries(1).callback(&receiver.url)).await;
    let failed = verify(data.path(), &receiver.after(2).await[1]);
    assert_eq!((&failed["status"], &failed["dead_letter"]), (&json!("FAILED"), &json!(true)));
    let far = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600);
    let call = add.call("add", json!([1, 2])).unwrap().not_before(far).callback(&receiver.url);
    let pending = submit(&add, call).await;
    add.client().cancel(&pending, "enough", false).await.unwrap();
    assert_eq!(verify(data.path(), &receiver.after(3).await[2])["status"], "CANCELLED");
    let (_, metrics) = pilum_tests::get(&host.http, "/metrics").await.unwrap();
    assert!(metrics.contains("pilum_callbacks_pending 0"), "{metrics}");
}

#[tokio::test]
async fn a_callback_is_sent_again_until_it_is_received_even_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(2).await;
    let host = Host::builder().config(PRIVATE).data_dir(data.path()).start().await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    let id = submit(&add, add.call("add", json!([1, 2])).unwrap().callback(&receiver.url)).await;
    ended(add.client(), &id).await.unwrap();
    receiver.after(1).await;
    host.kill().await.unwrap();
    let _host = Host::builder().config(PRIVATE).data_dir(data.path()).start().await.unwrap();
    let received = receiver.after(3).await;
    for one in &received {
        assert_eq!(
            verify(data.path(), one)["execution_id"],
            id.as_str(),
            "each attempt sends the same execution, correctly signed"
        );
    }
}

#[tokio::test]
async fn a_callback_without_a_receiver_stays_pending() {
    let host = Host::builder().config(PRIVATE).start().await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    let call = add.call("add", json!([1, 2])).unwrap().callback("http://127.0.0.1:1/");
    let id = submit(&add, call).await;
    ended(add.client(), &id).await.unwrap();
    let (_, metrics) = pilum_tests::get(&host.http, "/metrics").await.unwrap();
    assert!(metrics.contains("pilum_callbacks_pending 1"), "{metrics}");
}
