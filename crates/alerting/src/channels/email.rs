use super::config::{EmailConfig, EmailTls, invalid};
use super::text::{lines, title};
use lettre::message::{Attachment, Mailbox, Mailboxes, MultiPart, SinglePart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use telemetry_interfaces::{
    BoxFuture, Code, Courier, Document, Error, ErrorKind, Notification, Notifier, Receipt, Result,
};

/// Sends mail over SMTP, plain text, with the idempotency key as `Message-ID`, so that a mail that is
/// sent again after a crash is the same mail. A permanent refusal (5xx) is not tried again.
#[derive(Clone, Debug)]
pub struct EmailNotifier {
    name: String,
    from: Mailbox,
    to: Mailboxes,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl EmailNotifier {
    /// Prepares a client; connects when there is something to send.
    ///
    /// # Errors
    /// TEL-004 when an address or the server's name cannot be used.
    pub fn new(config: &EmailConfig) -> Result<Self> {
        let wrong = |field: &str, found: &str, expected: &str| {
            invalid("email", &config.name, field, found, expected)
        };
        let mailbox = |field: &str, text: &str| {
            let expected = "an address such as ops@example.com";
            text.parse::<Mailbox>().map_err(|_| wrong(field, &format!("{text:?}"), expected))
        };
        let from = mailbox("from", &config.from)?;
        let to = config.to.iter().map(|it| mailbox("to", it)).collect::<Result<Mailboxes>>()?;
        // An error means that the program chose its provider before; that one serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        type Transport = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match config.tls {
            EmailTls::None => Ok(Transport::builder_dangerous(&config.server)),
            EmailTls::Starttls => Transport::starttls_relay(&config.server),
            EmailTls::Tls => Transport::relay(&config.server),
        };
        let mut builder = builder.map_err(|error| {
            wrong("server", &format!("{:?}", config.server), "the name of a mail server")
                .source(error)
        })?;
        builder = builder.port(config.port).timeout(Some(config.timeout));
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { name: config.name.clone(), from, to, transport: builder.build() })
    }

    async fn send(&self, notification: &Notification) -> Result<Receipt> {
        let mail = Message::builder()
            .from(self.from.clone())
            .mailbox(header::To::from(self.to.clone()))
            .subject(title(notification))
            .message_id(Some(format!("<{}@selector-telemetry>", notification.key)))
            .header(header::ContentType::TEXT_PLAIN)
            .body(lines(notification, 100_000).join("\n"))
            .map_err(|error| self.unwritable(error))?;
        self.hand_over(mail).await
    }

    /// The summary as text, the document attached.
    async fn send_document(&self, document: &Document) -> Result<Receipt> {
        let media_type = document.media_type.parse().map_err(|_| {
            self.failed(ErrorKind::Invalid, "the media type of the document is none")
                .with("media_type", &document.media_type)
        })?;
        let attached =
            Attachment::new(document.file_name.clone()).body(document.text.clone(), media_type);
        let parts = MultiPart::mixed()
            .singlepart(SinglePart::plain(document.summary.clone()))
            .singlepart(attached);
        let mail = Message::builder()
            .from(self.from.clone())
            .mailbox(header::To::from(self.to.clone()))
            .subject(document.title.clone())
            .message_id(Some(format!("<{}@selector-telemetry>", document.key)))
            .multipart(parts)
            .map_err(|error| self.unwritable(error))?;
        self.hand_over(mail).await
    }

    fn failed(&self, kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, Code::Processing, message).with("channel", &self.name)
    }

    fn unwritable(&self, error: lettre::error::Error) -> Error {
        self.failed(ErrorKind::Internal, "cannot write the mail").source(error)
    }

    async fn hand_over(&self, mail: Message) -> Result<Receipt> {
        match self.transport.send(mail).await {
            Ok(response) => {
                let text: Vec<&str> = response.message().collect();
                Ok(Receipt { answer: format!("SMTP {} {}", response.code(), text.join(" ")) })
            }
            Err(error) => {
                let kind = match error.is_permanent() {
                    true => ErrorKind::Invalid,
                    false => ErrorKind::Unavailable,
                };
                Err(self.failed(kind, "the mail server did not take the mail").source(error))
            }
        }
    }
}

impl Notifier for EmailNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.send(notification))
    }
}

impl Courier for EmailNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.send_document(document))
    }
}

/// The mail channel of a configuration.
pub(crate) fn connect(config: &EmailConfig) -> Result<EmailNotifier> {
    EmailNotifier::new(config)
}
