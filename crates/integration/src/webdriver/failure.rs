use telemetry_models::{AttemptOutcome, Outcome};

/// What a lookup came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// So many elements were returned; a list may be empty.
    Elements(u32),
    /// The command failed.
    Failed(Failure),
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// Error code of W3C WebDriver, section 6.6 "Errors", or one of the constants of this type.
    code: String,
    message: String,
}

const NO_SUCH_ELEMENT: &str = "no such element";

impl Failure {
    /// No answer of the driver: it could not be reached, or broke off.
    pub(crate) const TRANSPORT: &'static str = "transport error";
    /// An answer, but not one of the protocol.
    #[cfg(feature = "thirtyfour")]
    pub(crate) const UNEXPECTED: &'static str = "unexpected response";
    /// The client gave up waiting; also the protocol's own code.
    pub(crate) const TIMEOUT: &'static str = "timeout";
    /// The client gave up for a reason that never was on the wire.
    #[cfg(feature = "thirtyfour")]
    pub(crate) const CLIENT: &'static str = "client error";

    /// Keeps the first line of the message: drivers append versions and stacks, which would make
    /// equal errors differ.
    pub(crate) fn new(code: &str, message: &str) -> Self {
        let message = message.lines().next().unwrap_or_default().trim();
        Self { code: code.into(), message: message.into() }
    }

    pub(crate) fn is_no_such_element(&self) -> bool {
        self.code == NO_SUCH_ELEMENT
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// How the try that failed this way ended.
    pub(crate) fn attempt(&self) -> AttemptOutcome {
        match self.code.as_str() {
            NO_SUCH_ELEMENT => AttemptOutcome::Empty,
            "invalid selector" => AttemptOutcome::InvalidSelector,
            Self::TIMEOUT | "script timeout" => AttemptOutcome::Timeout,
            "stale element reference" | "detached shadow root" | "no such shadow root" => {
                AttemptOutcome::Detached
            }
            _ => AttemptOutcome::Error,
        }
    }

    /// How the operation that failed this way ended. A root that left the document is no fault of
    /// the selector: it was not put to the test.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.code.as_str() {
            NO_SUCH_ELEMENT => Outcome::NotFound,
            "invalid selector" => Outcome::InvalidSelector,
            Self::TIMEOUT | "script timeout" => Outcome::Timeout,
            // The last four are ChromeDriver's own.
            "no such window"
            | "no such frame"
            | "invalid session id"
            | "disconnected"
            | "chrome not reachable"
            | "tab crashed"
            | "target detached" => Outcome::TargetClosed,
            _ => Outcome::EngineError,
        }
    }

    /// A word for it: that of the outcome, or a finer one where the outcome says little.
    pub(crate) fn kind(&self) -> String {
        match self.outcome() {
            Outcome::EngineError => self.code.replace(' ', "_"),
            outcome => outcome.as_str().into(),
        }
    }
}
