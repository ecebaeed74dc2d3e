use serde_json::Value;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// One request as it was on the wire, with what differs between two sessions replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Header lines, in order.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// Stands between a client and a driver, passes every byte on, and writes down each request.
pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    messages: Vec<Message>,
    /// Ids the driver gave out, in order: session, elements, shadow roots.
    ids: Vec<String>,
}

impl Proxy {
    pub(crate) fn start(driver: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let accepting = thread::spawn({
            let (seen, stopping) = (Arc::clone(&seen), Arc::clone(&stopping));
            move || {
                for client in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    let (client, seen) = (client.unwrap(), Arc::clone(&seen));
                    thread::spawn(move || pass(client, driver, &seen));
                }
            }
        });
        Self { address, seen, stopping, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in order, with ids replaced by their ordinal, and the
    /// profile and this proxy's address by a word.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let seen = self.seen.lock().unwrap();
        let neutral = |text: &str| {
            let numbered = seen.ids.iter().enumerate();
            numbered.fold(text.to_owned(), |text, (at, id)| text.replace(id, &format!("<{at}>")))
        };
        let messages = seen.messages.iter();
        messages
            .map(|message| Message {
                method: message.method.clone(),
                path: neutral(&message.path),
                headers: message.headers.iter().map(|line| self.without_address(line)).collect(),
                body: without_profile(&neutral(&message.body)),
            })
            .collect()
    }
}

impl Proxy {
    fn without_address(&self, line: &str) -> String {
        line.replace(&self.address.to_string(), "<proxy>")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Serves one connection until either side closes it.
fn pass(client: TcpStream, driver: u16, seen: &Mutex<Seen>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", driver))?;
    let (mut to_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let (mut from_client, mut from_server) = (BufReader::new(client), BufReader::new(server));
    while let Some(request) = HttpMessage::read(&mut from_client)? {
        let mut words = request.first_line.split(' ');
        let message = Message {
            method: words.next().unwrap().into(),
            path: words.next().unwrap().into(),
            headers: request.headers(),
            body: String::from_utf8(request.body.clone()).unwrap(),
        };
        seen.lock().unwrap().messages.push(message);
        to_server.write_all(&request.bytes())?;
        let Some(response) = HttpMessage::read(&mut from_server)? else { break };
        if let Ok(body) = serde_json::from_slice(&response.body) {
            collect_ids(&body, &mut seen.lock().unwrap().ids);
        }
        to_client.write_all(&response.bytes())?;
    }
    Ok(())
}

struct HttpMessage {
    first_line: String,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl HttpMessage {
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let start = head.len();
            if from.read_until(b'\n', &mut head)? == 0 {
                return Ok(None);
            }
            let line = str::from_utf8(&head[start..]).unwrap().trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "not understood: {line}");
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap();
                }
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        let first_line = str::from_utf8(&head).unwrap().lines().next().unwrap().to_owned();
        Ok(Some(Self { first_line, head, body }))
    }

    fn headers(&self) -> Vec<String> {
        let lines = str::from_utf8(&self.head).unwrap().lines().skip(1);
        lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), self.body.as_slice()].concat()
    }
}

/// Notes the ids in an answer: of a session, and the references of W3C WebDriver, sections 12 and
/// 13, whose keys are constants of the protocol.
fn collect_ids(body: &Value, ids: &mut Vec<String>) {
    match body {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(id)
                        if key == "sessionId"
                            || key == "element-6066-11e4-a52e-4f735466cecf"
                            || key == "shadow-6066-11e4-a52e-4f735466cecf" =>
                    {
                        if !ids.contains(id) {
                            ids.push(id.clone());
                        }
                    }
                    nested => collect_ids(nested, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        _ => {}
    }
}

fn without_profile(body: &str) -> String {
    let mut parts = body.split("--user-data-dir=");
    let before = parts.next().unwrap().to_owned();
    parts.fold(before, |before, part| {
        let (_, after) = part.split_once('"').unwrap();
        format!("{before}--user-data-dir=<profile>\"{after}")
    })
}
