use crate::exit::Stop;
use crate::plain::plain;
use std::error::Error as _;
use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};
use telemetry_runtime::interfaces::Error;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text means; decides its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Normal,
    /// Headings.
    Strong,
    /// Less important.
    Faint,
    /// In order.
    Good,
    /// Worth a look.
    Doubtful,
    /// Wrong.
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31",
        }
    }
}

/// The two streams a command writes to: answers to the standard output, everything else to the
/// standard error.
///
/// A reader that closes the pipe early (`| head`) is no error: what follows is dropped, and
/// [`closed`](Self::closed) tells long-running commands to stop.
pub(crate) struct Console {
    // Not locked: other threads may log to the standard error meanwhile.
    out: BufWriter<Stdout>,
    err: Stderr,
    closed: bool,
    color: bool,
    err_color: bool,
    width: Option<usize>,
}

impl Console {
    /// The process's own streams. The width is known on a terminal only, or from `COLUMNS`.
    pub(crate) fn standard(color: Color) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        let width = if terminal {
            terminal_size::terminal_size_of(&out)
                .map(|(width, _)| usize::from(width.0))
                .or_else(|| std::env::var("COLUMNS").ok()?.parse().ok())
                .filter(|width| *width >= 20)
        } else {
            None
        };
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !set("NO_COLOR") && !dumb,
        };
        Self {
            color: wanted(terminal),
            err_color: wanted(io::stderr().is_terminal()),
            out: BufWriter::new(out),
            err: io::stderr(),
            closed: false,
            width,
        }
    }

    /// Columns of the terminal; `None` when the output is not a terminal.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether the standard output takes colours.
    pub(crate) const fn color(&self) -> bool {
        self.color
    }

    /// Whether nobody reads the standard output any more.
    pub(crate) const fn closed(&self) -> bool {
        self.closed
    }

    /// `text` in the colour of its tone, if the standard output takes colours.
    pub(crate) fn paint(&self, tone: Tone, text: impl Display) -> String {
        paint(self.color, tone, text)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.out.write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }

    /// Writes a line. The caller has made foreign text [`plain`].
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes a value as JSON, indented, for machines.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// Writes a value as JSON on one line, for machines.
    pub(crate) fn json_line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// Brings out what was written so far.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.out.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }

    /// Tells something beside the answer, on the standard error. Nobody can be told when that
    /// fails, so it is ignored.
    pub(crate) fn note(&mut self, note: impl Display) {
        let text = paint(self.err_color, Tone::Faint, format_args!("note: {note}"));
        let _ = self.finish();
        let _ = writeln!(self.err, "{text}");
    }

    /// Reports an error that does not end the command.
    pub(crate) fn error(&mut self, error: &Error) {
        let _ = self.finish();
        let color = self.err_color;
        let _ = writeln!(self.err, "{}", Explained { error, color });
    }

    /// Reports what ended the command.
    pub(crate) fn stop(&mut self, stop: &Stop) {
        match stop {
            Stop::Error(error) => self.error(error),
            Stop::Output(error) => {
                let label = paint(self.err_color, Tone::Bad, "error:");
                let error = error.to_string();
                let error = plain(&error);
                let _ = writeln!(self.err, "{label} the answer could not be written: {error}");
            }
        }
    }
}

fn paint(color: bool, tone: Tone, text: impl Display) -> String {
    match tone.code() {
        code if color && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.to_string(),
    }
}

/// An error over several lines: code and message, where, why, what to do.
struct Explained<'a> {
    error: &'a Error,
    color: bool,
}

impl Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.error;
        let label = paint(self.color, Tone::Bad, "error:");
        write!(f, "{label} {} {}", error.code(), plain(error.message()))?;
        for (key, value) in error.context() {
            write!(f, "\n  {key}: {}", plain(value))?;
        }
        let mut cause = error.source();
        while let Some(source) = cause {
            write!(f, "\n  because: {}", plain(&source.to_string()))?;
            cause = source.source();
        }
        if let Some(cure) = error.what_to_do() {
            let label = paint(self.color, Tone::Strong, "what to do:");
            write!(f, "\n  {label} {}", plain(cure))?;
        }
        Ok(())
    }
}
