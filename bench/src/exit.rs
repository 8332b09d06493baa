//! How the program ends: one code for each kind of outcome, and an error that says which.

use std::process::ExitCode;

/// Why a command did not succeed, in the words of the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outcome {
    /// The command worked and its answer is bad: a slower build, an attestation that fails a condition.
    VerdictBad = 1,
    /// The command line, a configuration value or an input file's format is wrong.
    Usage = 2,
    /// There is not enough evidence for an answer.
    Inconclusive = 3,
    /// This machine cannot do what was asked: no such device, wrong output, clocks that disagree.
    Unfit = 4,
    /// A signature, proof or statistic does not hold.
    VerificationFailed = 5,
    /// A file or the network failed.
    Io = 6,
    /// Ctrl-C; what was done is kept.
    Interrupted = 130,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}

/// An error with its exit code and the next step for the reader.
#[derive(Debug)]
pub(crate) struct Failure {
    pub outcome: Outcome,
    pub error: anyhow::Error,
    pub hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, error: impl Into<anyhow::Error>) -> Self {
        Self {
            outcome,
            error: error.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A failure made of words.
macro_rules! fail {
    ($outcome:ident, $($words:tt)*) => {
        $crate::exit::Failure::new($crate::exit::Outcome::$outcome, anyhow::anyhow!($($words)*))
    };
}
pub(crate) use fail;

/// Gives errors of other crates their exit code.
pub(crate) trait OrFail<T> {
    fn or_fail(self, outcome: Outcome) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, outcome: Outcome) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(outcome, error))
    }
}

pub(crate) type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// Says where the results were kept.
    pub(crate) fn hint_where(self, path: &std::path::Path) -> Self {
        let kept = format!("the run file is kept at {}", path.display());
        let hint = self
            .hint
            .as_ref()
            .map_or_else(|| kept.clone(), |hint| format!("{hint}; {kept}"));
        self.hint(hint)
    }
}
