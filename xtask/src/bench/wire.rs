//! The least of HTTP and WebSocket that a look-up on loopback needs. Blocking and on one
//! connection, so that what is timed is the browser and not a client library.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .with_context(|| format!("nothing answers on port {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// One HTTP request; the answer's JSON.
    pub(super) fn request(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let (status, length) = self.head()?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        if status != 200 {
            bail!(
                "{method} {path} was answered with {status}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Turns the connection into a WebSocket (RFC 6455).
    pub(super) fn upgrade(&mut self, path: &str) -> Result<()> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2VsZWN0b3ItYmVuY2htYQ==\r\n\r\n"
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        match self.head()? {
            (101, _) => Ok(()),
            (status, _) => bail!("{path} was answered with {status} instead of 101"),
        }
    }

    pub(super) fn send(&mut self, text: &str) -> Result<()> {
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(text.len())?.to_be_bytes());
            }
        }
        // A mask of zeros leaves the text as it is.
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.stream.get_mut().write_all(&frame)?)
    }

    /// The next message that is text.
    pub(super) fn receive(&mut self) -> Result<Value> {
        loop {
            let mut start = [0; 2];
            self.stream.read_exact(&mut start)?;
            let length = match start[1] & 0x7F {
                126 => {
                    let mut length = [0; 2];
                    self.stream.read_exact(&mut length)?;
                    u64::from(u16::from_be_bytes(length))
                }
                127 => {
                    let mut length = [0; 8];
                    self.stream.read_exact(&mut length)?;
                    u64::from_be_bytes(length)
                }
                length => u64::from(length),
            };
            let mut text = vec![0; usize::try_from(length)?];
            self.stream.read_exact(&mut text)?;
            if start[0] & 0x0F == 1 {
                return Ok(serde_json::from_slice(&text)?);
            }
        }
    }

    /// Status and length of the body.
    fn head(&mut self) -> Result<(u16, usize)> {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the connection was closed instead of answered");
            }
            let line = line.trim_end();
            if status.is_none() {
                let code = line.split(' ').nth(1).context("an answer without a status")?;
                status = Some(code.parse()?);
            } else if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse()?;
                }
            } else if line.is_empty() {
                return Ok((status.context("an answer without a status")?, length));
            }
        }
    }
}
