use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A message as it can be compared between two connections: identifiers that the browser made up
/// are numbered in the order they appear.
pub(crate) type Sent = String;

/// Relays a WebSocket connection byte by byte and keeps what the client sent.
pub(crate) struct Relay {
    address: String,
    client: Arc<Mutex<Frames>>,
}

impl Relay {
    /// Listens for one connection to `upstream`, a `ws://` address.
    pub(crate) async fn start(upstream: &str) -> Self {
        let (host, path) = upstream.strip_prefix("ws://").unwrap().split_once('/').unwrap();
        let host = host.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}/{path}", listener.local_addr().unwrap());
        let client: Arc<Mutex<Frames>> = Arc::default();
        let seen = Arc::clone(&client);
        tokio::spawn(async move {
            let (down, _) = listener.accept().await.unwrap();
            let up = TcpStream::connect(host).await.unwrap();
            let (mut from_client, mut to_client) = down.into_split();
            let (mut from_browser, mut to_browser) = up.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_browser, &mut to_client).await });
            let mut bytes = [0; 16_384];
            while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                seen.lock().take(&bytes[..read]);
                if to_browser.write_all(&bytes[..read]).await.is_err() {
                    break;
                }
            }
        });
        Self { address, client }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The client's messages so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        let mut known = HashMap::new();
        let messages = std::mem::take(&mut self.client.lock().messages);
        messages
            .into_iter()
            .map(|text| {
                let mut message: Value = serde_json::from_str(&text).unwrap();
                normalise(&mut message, "", &mut known);
                message.to_string()
            })
            .collect()
    }
}

/// Replaces identifiers by their number in order of appearance.
fn normalise(value: &mut Value, key: &str, known: &mut HashMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(key, value)| normalise(value, key, known));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, key, known)),
        Value::String(_) | Value::Number(_) if key == "id" || key.ends_with("Id") => {
            let next = known.len();
            let number = known.entry(format!("{key} {value}")).or_insert(next);
            *value = Value::from(*number);
        }
        _ => {}
    }
}

/// Reads the text messages out of a client's bytes (RFC 6455, section 5.2), after its HTTP
/// request.
#[derive(Default)]
struct Frames {
    upgraded: bool,
    bytes: Vec<u8>,
    payload: Vec<u8>,
    messages: Vec<String>,
}

impl Frames {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if !self.upgraded {
            let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { return };
            self.bytes.drain(..end + 4);
            self.upgraded = true;
        }
        while let Some(used) = self.frame() {
            self.bytes.drain(..used);
        }
    }

    /// Reads the first frame; its length, once all of it is there.
    fn frame(&mut self) -> Option<usize> {
        let [first, second, rest @ ..] = self.bytes.as_slice() else { return None };
        assert!(second & 0x80 != 0, "a client masks its frames");
        let (length, rest) = match second & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).unwrap(), rest)
            }
            short => (usize::from(short), rest),
        };
        let (mask, rest) = rest.split_first_chunk::<4>()?;
        let masked = rest.get(..length)?;
        let used = self.bytes.len() - rest.len() + length;
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        assert!(first & 0x70 == 0, "no extension was agreed on");
        if opcode < 8 {
            self.payload.extend(masked.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
            if fin {
                let text = String::from_utf8(std::mem::take(&mut self.payload)).unwrap();
                self.messages.push(text);
            }
        }
        Some(used)
    }
}
