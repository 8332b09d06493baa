//! What the program says on standard error. Standard output holds only the answer.

use std::io::{IsTerminal as _, Write as _};

use reports::text::{Terminal, UNLIMITED};

/// Colour is used on a terminal, unless NO_COLOR says otherwise (no-color.org).
pub(crate) fn colour(stream_is_terminal: bool) -> bool {
    stream_is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What standard output can show: its width where it is a terminal, and no limit in a file or a pipe.
pub(crate) fn terminal() -> Terminal {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        columns().unwrap_or(80)
    } else {
        UNLIMITED
    };
    Terminal {
        width,
        colour: colour(stdout.is_terminal()),
    }
}

fn columns() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns))
}

fn paint(code: &str, word: &str) -> String {
    if colour(std::io::stderr().is_terminal()) {
        format!("\x1b[{code}m{word}\x1b[0m")
    } else {
        word.to_owned()
    }
}

fn line(text: &str) {
    // A closed standard error must not end a measurement.
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub(crate) fn say(text: &str) {
    line(text);
}

pub(crate) fn warn(text: &str) {
    line(&format!("{}: {text}", paint("33", "warning")));
}

pub(crate) fn failure(failure: &crate::exit::Failure) {
    line(&format!("{}: {:#}", paint("31", "error"), failure.error));
    if let Some(hint) = &failure.hint {
        line(&format!("\n{}: {hint}", paint("36", "hint")));
    }
}
