//! Progress on standard error: what is measured now and how long the rest takes.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where standard error is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress over a known number of records, each expected to take `each`.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
    terminal: bool,
    total: usize,
    done: usize,
    each: Duration,
    began: Instant,
    last_line: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(total: usize, each: Duration, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {msg}").expect("a valid template");
        let bar = ProgressBar::with_draw_target(Some(total as u64), target).with_style(style);
        Self {
            bar,
            quiet,
            terminal,
            total,
            done: 0,
            each,
            began: Instant::now(),
            last_line: None,
        }
    }

    /// A record begins.
    pub(crate) fn begin(&mut self, what: &str) {
        let message = format!("{what}, about {} left", rounded(self.left()));
        self.bar.set_message(message.clone());
        let due = self.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY);
        if !self.quiet && !self.terminal && due {
            crate::talk::say(&format!("[{}/{}] {message}", self.done + 1, self.total));
            self.last_line = Some(Instant::now());
        }
    }

    pub(crate) fn tick(&self) {
        self.bar.tick();
    }

    pub(crate) fn end(&mut self) {
        self.done += 1;
        self.bar.set_position(self.done as u64);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn left(&self) -> Duration {
        time_left(self.done, self.total, self.began.elapsed(), self.each)
    }
}

/// Before the first record ends the plan's guess counts, after that what records really took.
fn time_left(done: usize, total: usize, elapsed: Duration, guess: Duration) -> Duration {
    let each = if done == 0 { guess } else { elapsed / done as u32 };
    each * (total - done) as u32
}

pub(crate) fn rounded(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_what_records_really_took() {
        let second = Duration::from_secs(1);
        assert_eq!(time_left(0, 10, Duration::ZERO, second), 10 * second);
        assert_eq!(time_left(5, 10, 20 * second, second), 20 * second);
        assert_eq!(time_left(10, 10, 40 * second, second), Duration::ZERO);
    }

    #[test]
    fn a_minute_and_a_second_is_two_minutes() {
        assert_eq!(rounded(Duration::from_secs(59)), "59 s");
        assert_eq!(rounded(Duration::from_secs(61)), "2 min");
    }
}
