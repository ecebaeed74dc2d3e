use crate::WebhookConfig;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use ring::hmac;
use serde::Serialize;
use telemetry_interfaces::{
    BoxFuture, Code, Courier, Document, Error, ErrorKind, NoticeGroup, Notification,
    NotificationKind, Notifier, Receipt, Result,
};
use telemetry_models::{Alert, Timestamp};

/// Posts notifications as JSON.
///
/// Body: `{"version": 1, "key", "kind": "firing" | "resolved" | "digest" | "test", "at", "alerts": […],
/// "group": {"id", "title", "count", "open"}}`, the alerts as in the state store. The header
/// `Idempotency-Key` repeats `key`: it is the same for every try of one notification, also after a
/// restart. With a secret, `Telemetry-Signature` is `v1=` and the HMAC-SHA256 of the body in
/// hexadecimal. Any 2xx answer accepts. 408, 429, 5xx, a timeout and a failed connection are worth
/// another try (`Unavailable`); any other answer, a redirection included, is not (`Invalid`). The URL
/// may hold a secret, so errors do not show it.
#[derive(Clone, Debug)]
pub struct WebhookNotifier {
    post: HttpPost,
}

/// Posts JSON to one URL.
#[derive(Clone, Debug)]
pub(crate) struct HttpPost {
    name: String,
    url: Url,
    client: Client,
    secret: Option<hmac::Key>,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    key: &'a str,
    kind: NotificationKind,
    at: Timestamp,
    alerts: &'a [Alert],
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a NoticeGroup>,
}

impl HttpPost {
    /// Prepares a client. Installs rustls' `ring` provider for the process, unless the program
    /// has installed another one.
    ///
    /// # Errors
    /// TEL-004 when URL or a header cannot be used, `Unavailable` when no TLS roots can be loaded
    /// for an `https` URL.
    pub(crate) fn new(config: &WebhookConfig) -> Result<Self> {
        let url: Url = config.url.parse().map_err(|error| {
            config.invalid("url", format!("{error}"), "an http:// or https:// URL")
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let header = HeaderName::try_from(name).map_err(|_| {
                config.invalid("headers", format!("{name:?}"), "names that HTTP allows")
            })?;
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                config.invalid("headers", format!("a value of {name}"), "values that HTTP allows")
            })?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        // An error means that the program chose its provider before; that one serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("selector-telemetry/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(config.timeout)
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // Without TLS the system's certificates are not needed and may be missing.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            Error::new(ErrorKind::Unavailable, Code::Processing, "no HTTP client for a webhook")
                .with("webhook", &config.name)
                .source(error)
        })?;
        let secret = config.secret.as_ref();
        let secret = secret.map(|it| hmac::Key::new(hmac::HMAC_SHA256, it.as_bytes()));
        Ok(Self { name: config.name.clone(), url, client, secret })
    }

    /// Sends a body under a key.
    pub(crate) async fn send(&self, json: Vec<u8>, key: &str) -> Result<Receipt> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        if let Some(secret) = &self.secret {
            request = request.header("telemetry-signature", signature(secret, &json));
        }
        let answer = request.body(json).send().await.map_err(|error| {
            let error = error.without_url();
            self.error(ErrorKind::Unavailable, "the webhook did not answer").source(error)
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Receipt { answer: format!("HTTP {}", status.as_u16()) });
        }
        let again = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        let kind = if again { ErrorKind::Unavailable } else { ErrorKind::Invalid };
        Err(self.error(kind, &format!("found HTTP {}, expected 2xx", status.as_u16())))
    }

    fn error(&self, kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, Code::Processing, message).with("webhook", &self.name)
    }
}

impl WebhookNotifier {
    /// Prepares a client. Installs rustls' `ring` provider for the process, unless the program
    /// has installed another one.
    ///
    /// # Errors
    /// TEL-004 when URL or a header cannot be used, `Unavailable` when no TLS roots can be loaded
    /// for an `https` URL.
    pub fn new(config: &WebhookConfig) -> Result<Self> {
        Ok(Self { post: HttpPost::new(config)? })
    }

    async fn post(&self, notification: &Notification) -> Result<Receipt> {
        let body = Body {
            version: 1,
            key: &notification.key,
            kind: notification.kind,
            at: notification.at,
            alerts: &notification.alerts,
            group: notification.group.as_ref(),
        };
        let json = serde_json::to_vec(&body).map_err(|error| {
            self.post.error(ErrorKind::Internal, "the notification is not JSON").source(error)
        })?;
        self.post.send(json, &notification.key).await
    }
}

/// A document as a webhook gets it.
#[derive(Serialize)]
struct DocumentBody<'a> {
    version: u32,
    key: &'a str,
    kind: &'static str,
    title: &'a str,
    summary: &'a str,
    file_name: &'a str,
    media_type: &'a str,
    text: &'a str,
}

impl WebhookNotifier {
    async fn post_document(&self, document: &Document) -> Result<Receipt> {
        let body = DocumentBody {
            version: 1,
            key: &document.key,
            kind: "document",
            title: &document.title,
            summary: &document.summary,
            file_name: &document.file_name,
            media_type: &document.media_type,
            text: &document.text,
        };
        let json = serde_json::to_vec(&body).map_err(|error| {
            self.post.error(ErrorKind::Internal, "the document is not JSON").source(error)
        })?;
        self.post.send(json, &document.key).await
    }
}

/// Posts `{"version": 1, "key", "kind": "document", "title", "summary", "file_name", "media_type",
/// "text"}`, with the headers of a notification.
impl Courier for WebhookNotifier {
    fn name(&self) -> &str {
        &self.post.name
    }

    fn deliver<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.post_document(document))
    }
}

impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        &self.post.name
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.post(notification))
    }
}

/// The webhook of a configuration.
pub(crate) fn connect(config: &WebhookConfig) -> Result<WebhookNotifier> {
    WebhookNotifier::new(config)
}

/// `v1=` and the HMAC-SHA256 of the body (RFC 2104, FIPS 180-4) in hexadecimal.
fn signature(secret: &hmac::Key, body: &[u8]) -> String {
    let tag = hmac::sign(secret, body);
    tag.as_ref().iter().fold("v1=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 2 and 6 of RFC 4231.
    #[test]
    fn signatures_are_those_of_rfc_4231() {
        for (secret, body, expected) in [
            (
                &b"Jefe"[..],
                &b"what do ya want for nothing?"[..],
                "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131][..],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "v1=60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            assert_eq!(signature(&key, body), expected);
        }
    }
}
