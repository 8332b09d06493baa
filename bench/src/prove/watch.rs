//! What is said while devices prove: the phase of each, what it does, and the time left.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::rounded;

/// One line for each phase where standard error is no terminal, and one line that lives where it is.
pub(super) struct Watch {
    bar: ProgressBar,
    lines: bool,
    phase: String,
    ends: Option<Instant>,
}

impl Watch {
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("a valid template");
        Self {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            lines: !terminal && !quiet,
            phase: String::new(),
            ends: None,
        }
    }

    /// A phase begins; `expected` is how long it should take.
    pub(super) fn phase(&mut self, phase: String, expected: Option<Duration>) {
        if self.lines {
            let left = expected.map(|left| format!(", about {} left", rounded(left)));
            crate::talk::say(&format!("{phase}{}", left.unwrap_or_default()));
        }
        self.ends = expected.map(|left| Instant::now() + left);
        self.phase = phase;
        self.tick();
    }

    pub(super) fn tick(&self) {
        let left = self
            .ends
            .map(|ends| ends.saturating_duration_since(Instant::now()));
        let left = left.map(|left| format!(", about {} left", rounded(left)));
        self.bar
            .set_message(format!("{}{}", self.phase, left.unwrap_or_default()));
        self.bar.tick();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
