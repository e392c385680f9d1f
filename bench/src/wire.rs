//! One client on one connection: HTTP/1.1 with as little around it as possible, so that its own time hides nothing.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The bytes of a POST request.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(1 << 20),
        })
    }

    /// Sends a request and reads its answer; the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (start, length) = loop {
            self.more().await?;
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, length(&self.buffer[..end])?);
            }
        };
        while self.buffer.len() < start + length {
            self.more().await?;
        }
        Ok(&self.buffer[start..])
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server hung up".into());
        }
        Ok(())
    }
}

/// The length of the body of a good answer.
fn length(head: &[u8]) -> Result<usize> {
    let head = str::from_utf8(head)?;
    let mut lines = head.lines();
    if !lines.next().is_some_and(|line| line.contains(" 200")) {
        return Err(head.into());
    }
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Ok(length
        .ok_or("an answer without a length")?
        .1
        .trim()
        .parse()?)
}
