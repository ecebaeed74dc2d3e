use std::io;
use std::process::ExitCode;
use telemetry_runtime::interfaces::Error;

/// What the process says to its caller; `docs/cli.md` promises these meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and what was checked is fine. Code 0.
    Fine,
    /// Done, and the answer is no: something checked is not in order, or is not there. Code 1.
    Failed,
    /// Could not tell: wrong usage, or an error stopped the command. Code 2.
    Unknown,
}

impl Exit {
    /// Fine if so.
    pub(crate) const fn fine_if(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Unknown => Self::from(2),
        }
    }
}

/// Why a command ended before its answer.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error with code, place and cure.
    Error(Error),
    /// The answer could not be written to the standard output.
    Output(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// How every command ends.
pub(crate) type Outcome = Result<Exit, Stop>;
