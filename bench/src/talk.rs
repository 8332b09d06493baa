//! What the program says on standard error. Standard output holds only the answer.

use std::io::{IsTerminal as _, Write as _};

/// Colour is used on a terminal, unless NO_COLOR says otherwise (no-color.org).
pub(crate) fn colour(stream_is_terminal: bool) -> bool {
    stream_is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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
