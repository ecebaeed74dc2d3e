use crate::{Version, page};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug, Default)]
struct State {
    second: AtomicBool,
    served: AtomicU64,
}

/// The shop, served on a free port of the loopback interface. Dropping it stops it.
#[derive(Debug)]
pub struct SiteServer {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl SiteServer {
    /// Starts serving the first version. All pages are generated before this returns.
    ///
    /// # Errors
    /// If no loopback port can be opened.
    pub async fn start() -> io::Result<Self> {
        for version in [Version::V1, Version::V2] {
            page(version, "/product/iron-teapot/reviews");
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&state), stopped));
        Ok(Self { address, state, stop, task: Some(task) })
    }

    /// The address without a trailing slash, such as `http://127.0.0.1:40123`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Shows another version, from the next request on.
    pub fn switch_to(&self, version: Version) {
        self.state.second.store(version == Version::V2, Ordering::SeqCst);
    }

    /// Requests answered so far, refusals included.
    pub fn requests_served(&self) -> u64 {
        self.state.served.load(Ordering::SeqCst)
    }

    /// Stops, closes every connection and waits until that is done.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself and only a panic in it could be reported here.
            let _ = task.await;
        }
    }
}

impl Drop for SiteServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    // Dropped with this future, which closes the connections still open.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let response = answer(&state, &request);
                        async move { Ok::<_, Infallible>(response) }
                    });
                    // A client that hangs up in the middle is no fault of the shop.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }
    }
    connections.shutdown().await;
}

fn answer(state: &State, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    state.served.fetch_add(1, Ordering::SeqCst);
    let second = state.second.load(Ordering::SeqCst);
    let version = if second { Version::V2 } else { Version::V1 };
    let (status, body) = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        (StatusCode::METHOD_NOT_ALLOWED, "<!doctype html><title>Not allowed</title>")
    } else {
        match page(version, request.uri().path()) {
            Some(body) => (StatusCode::OK, body),
            None => (StatusCode::NOT_FOUND, "<!doctype html><title>Not found</title>"),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    let html = hyper::header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}
