use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use tokio::net::TcpStream;

/// What the shop is told about its visitor.
pub(crate) const AGENT: &str = concat!("telemetry-demo/", env!("CARGO_PKG_VERSION"));

/// Fetches pages from one host over one connection that is kept open.
#[derive(Debug)]
pub(crate) struct Browser {
    /// `http://host:port`.
    base: String,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Browser {
    /// Will connect to `http://host:port` at the first page.
    pub(crate) fn new(base: String) -> Self {
        Self { base, connection: None }
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The page at a path. A connection the server closed in the meantime is opened again.
    ///
    /// # Errors
    /// TEL-005 when the page cannot be fetched, is not answered with 200, or is not UTF-8.
    pub(crate) async fn get(&mut self, path: &str) -> Result<String> {
        let answer = match self.connection.take() {
            Some(kept) if !kept.is_closed() => match self.ask(kept, path).await {
                Ok(answer) => Ok(answer),
                Err(_) => self.ask_anew(path).await,
            },
            _ => self.ask_anew(path).await,
        };
        let failed = |what: String| {
            Error::new(ErrorKind::Unavailable, Code::Processing, what)
                .with("url", self.url(path))
                .cure("see whether a firewall or sandbox keeps this program from 127.0.0.1")
        };
        let (status, body) = answer.map_err(|fault| {
            failed("a page of the demo's shop could not be fetched".to_owned()).source(fault)
        })?;
        if status != StatusCode::OK {
            return Err(failed(format!("the demo's shop answered {status}, expected 200 OK")));
        }
        String::from_utf8(body.into()).map_err(|error| {
            failed("a page of the demo's shop is not UTF-8".to_owned()).source(error)
        })
    }

    async fn ask_anew(&mut self, path: &str) -> Result<(StatusCode, Bytes), Fault> {
        let stream = TcpStream::connect(self.authority()).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        // Its errors come out of the requests it drives.
        tokio::spawn(driver);
        self.ask(connection, path).await
    }

    async fn ask(
        &mut self,
        mut connection: SendRequest<Empty<Bytes>>,
        path: &str,
    ) -> Result<(StatusCode, Bytes), Fault> {
        connection.ready().await?;
        let request = Request::get(path)
            .header(HOST, self.authority())
            .header(USER_AGENT, AGENT)
            .body(Empty::new())?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok((status, body))
    }

    fn authority(&self) -> &str {
        self.base.strip_prefix("http://").unwrap_or(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::Browser;
    use shop_site::SiteServer;

    #[tokio::test]
    async fn pages_come_over_one_connection_and_troubles_are_told() {
        let site = SiteServer::start().await.unwrap();
        let mut browser = Browser::new(site.base_url());
        for _ in 0..3 {
            assert!(browser.get("/").await.unwrap().contains("<html"));
        }
        let error = browser.get("/nowhere").await.unwrap_err().to_string();
        assert!(error.contains("TEL-005") && error.contains("404"), "{error}");
        site.stop().await;
        let error = browser.get("/").await.unwrap_err().to_string();
        assert!(error.contains("could not be fetched"), "{error}");
    }
}
