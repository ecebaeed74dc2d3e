use anyhow::{Context, Result};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A webhook's receiver on loopback that accepts everything and writes down what came.
pub(crate) struct Receiver {
    pub(crate) url: String,
    posts: Arc<Mutex<Vec<Post>>>,
}

/// One accepted body.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "read by a benchmark"))]
    pub(crate) at: Instant,
    pub(crate) body: Value,
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "read by a benchmark"))]
    pub(crate) bytes: usize,
}

impl Receiver {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port on loopback")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let posts = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&posts);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A sender that is killed leaves half a request behind.
                std::thread::spawn(move || {
                    let _ = take(&stream, &kept);
                });
            }
        });
        Ok(Self { url, posts })
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(mut stream: &TcpStream, posts: &Mutex<Vec<Post>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let post =
        Post { at: Instant::now(), bytes: length, body: serde_json::from_slice(&body).ok()? };
    posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .ok()
}
