//! A minimal HTTP client that keeps its connection: it sends one request and reads
//! the whole answer.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// An open connection and the request that is sent over it.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Connection {
    /// Connects to `address`, to request `path`.
    pub(crate) async fn to(address: &str, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("no server at {address}"))?;
        stream.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        Ok(Self { stream: BufReader::new(stream), request })
    }

    /// Sends the request once; fails unless the answer has status 200 and this body.
    pub(crate) async fn get(&mut self, expected: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(&self.request).await?;
        let status = self.line().await?;
        ensure!(status.starts_with("HTTP/1.1 200"), "the server answered {status:?}");
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.line().await?.to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(text) = header.strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
            chunked |= header.starts_with("transfer-encoding:") && header.contains("chunked");
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let size = usize::from_str_radix(&self.line().await?, 16)?;
                self.read(size, &mut body).await?;
                self.line().await?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.read(length, &mut body).await?;
        }
        ensure!(body == expected, "the server answered {:?}", String::from_utf8_lossy(&body));
        Ok(())
    }

    async fn read(&mut self, bytes: usize, body: &mut Vec<u8>) -> Result<()> {
        let begin = body.len();
        body.resize(begin + bytes, 0);
        self.stream.read_exact(body.get_mut(begin..).unwrap_or_default()).await?;
        Ok(())
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        ensure!(read > 0, "the connection was closed");
        Ok(line.trim_end().to_owned())
    }
}
