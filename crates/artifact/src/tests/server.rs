//! A web server that answers as a test says, and records its requests.

use super::SERVER;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Runs until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    _running: JoinSet<()>,
}

impl Server {
    /// Answers each request by its number, from 0, and its path.
    pub(super) async fn start<R>(answer: impl Fn(usize, String) -> R + Clone + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Response> + Send,
    {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path().to_owned();
            let number = {
                let mut log = log.lock().unwrap();
                log.push((path.clone(), request.headers().clone()));
                log.len() - 1
            };
            answer(number, path)
        });
        let listener = TcpListener::bind((SERVER, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, requests, _running: running }
    }

    /// Sends the same bytes on every connection after the head of the request, and closes
    /// the connection.
    pub(super) async fn raw(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let listener = TcpListener::bind((SERVER, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                log.lock().unwrap().push((String::new(), HeaderMap::new()));
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(socket.read_u8().await.unwrap());
                }
                // The client may close the connection before it has read everything.
                let _ = socket.write_all(&answer).await;
            }
        });
        Self { address, requests, _running: running }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came.
    pub(super) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The requested paths, in order.
    pub(super) fn paths(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// The header lines of one request.
    pub(super) fn headers(&self, number: usize) -> HeaderMap {
        self.requests.lock().unwrap()[number].1.clone()
    }
}

pub(super) fn ok(body: impl Into<Body>) -> Response {
    Response::new(body.into())
}

pub(super) fn status(code: u16) -> Response {
    let mut response = ok("an explanation, not an artifact");
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

pub(super) fn redirect(code: u16, target: &str) -> Response {
    let mut response = status(code);
    response.headers_mut().insert(header::LOCATION, target.parse().unwrap());
    response
}
