//! Counters in Prometheus' text format (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::store::sessions::State;

/// A number that only this process changes.
#[derive(Debug, Default)]
pub(crate) struct Number(AtomicU64);

impl Number {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, by: u64) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds in seconds: from one flush of a fast disk to the slowest request that is not yet refused.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Upper bounds in entries, up to the largest batch.
const ENTRIES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counts of observations below each bound.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: [f64; N],
    buckets: [AtomicU64; N],
    count: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Self {
            bounds,
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, value: f64) {
        for (bound, bucket) in self.bounds.iter().zip(&self.buckets) {
            if value <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    fn render(&self, name: &str, text: &mut String) {
        for (bound, bucket) in self.bounds.iter().zip(&self.buckets) {
            let below = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}"
        );
    }
}

#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) tree_size: Number,
    pub(crate) queued: Number,
    pub(crate) commit_errors: Number,
    pub(crate) rate_limited: Number,
    pub(crate) connections: Number,
    /// Openings waiting for a thread.
    pub(crate) checks_queued: Number,
    check_seconds: Histogram<12>,
    /// Attempts in each state that is not the last.
    sessions: [Number; State::ALL.len()],
    /// By outcome.
    verdicts: Mutex<BTreeMap<&'static str, u64>>,
    batch_entries: Histogram<9>,
    batch_seconds: Histogram<12>,
    request_seconds: Histogram<12>,
    /// By route and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    /// By outcome: `logged`, `known`, or the problem that refused it.
    submissions: Mutex<BTreeMap<&'static str, u64>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            tree_size: Number::default(),
            queued: Number::default(),
            commit_errors: Number::default(),
            rate_limited: Number::default(),
            connections: Number::default(),
            checks_queued: Number::default(),
            check_seconds: Histogram::new(SECONDS),
            sessions: Default::default(),
            verdicts: Mutex::default(),
            batch_entries: Histogram::new(ENTRIES),
            batch_seconds: Histogram::new(SECONDS),
            request_seconds: Histogram::new(SECONDS),
            requests: Mutex::default(),
            submissions: Mutex::default(),
        }
    }

    pub(crate) fn committed(&self, entries: usize, took: Duration) {
        self.batch_entries.observe(entries as f64);
        self.batch_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn session_moved(&self, from: Option<State>, to: Option<State>) {
        if let Some(from) = from {
            self.sessions[from as usize].sub(1);
        }
        if let Some(to) = to {
            self.sessions[to as usize].add(1);
        }
    }

    pub(crate) fn checked(&self, took: Duration) {
        self.check_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn judged(&self, outcome: &'static str) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        *verdicts.entry(outcome).or_default() += 1;
    }

    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        self.request_seconds.observe(took.as_secs_f64());
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match requests.get_mut(&(route.to_owned(), status)) {
            Some(count) => *count += 1,
            None => drop(requests.insert((route.to_owned(), status), 1)),
        }
    }

    pub(crate) fn submitted(&self, outcome: &'static str) {
        let mut submissions = self.submissions.lock().unwrap_or_else(PoisonError::into_inner);
        *submissions.entry(outcome).or_default() += 1;
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        self.render_numbers(&mut text);
        self.render_histograms(&mut text);
        self.render_outcomes(&mut text);
        self.render_sessions(&mut text);
        text
    }

    fn render_numbers(&self, text: &mut String) {
        for (name, kind, help, value) in [
            (
                "hallmark_tree_size",
                "gauge",
                "Entries in the published log.",
                &self.tree_size,
            ),
            (
                "hallmark_queue_length",
                "gauge",
                "Verified submissions waiting for a commit.",
                &self.queued,
            ),
            (
                "hallmark_commit_errors_total",
                "counter",
                "Commits that failed or whose outcome was unknown.",
                &self.commit_errors,
            ),
            (
                "hallmark_rate_limited_total",
                "counter",
                "Requests refused for their rate.",
                &self.rate_limited,
            ),
            (
                "hallmark_connections",
                "gauge",
                "Open connections.",
                &self.connections,
            ),
            (
                "hallmark_checks_queued",
                "gauge",
                "Openings waiting to be checked.",
                &self.checks_queued,
            ),
        ] {
            head(text, name, kind, help);
            let _ = writeln!(text, "{name} {}", value.read());
        }
    }

    fn render_histograms(&self, text: &mut String) {
        let name = "hallmark_batch_entries";
        head(text, name, "histogram", "Entries of one commit.");
        self.batch_entries.render(name, text);
        let name = "hallmark_batch_seconds";
        head(
            text,
            name,
            "histogram",
            "Time from a batch's proof to its publication.",
        );
        self.batch_seconds.render(name, text);
        let name = "hallmark_request_seconds";
        head(
            text,
            name,
            "histogram",
            "Time from a request's head to its answer's.",
        );
        self.request_seconds.render(name, text);
    }

    fn render_outcomes(&self, text: &mut String) {
        let name = "hallmark_requests_total";
        head(text, name, "counter", "Requests by route and status.");
        for ((route, status), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{name}{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        let name = "hallmark_submissions_total";
        head(text, name, "counter", "Submissions by outcome.");
        for (outcome, count) in &*self.submissions.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
        }
    }

    fn render_sessions(&self, text: &mut String) {
        let name = "hallmark_attempts";
        head(text, name, "gauge", "Attempts that have not ended, by state.");
        for state in State::ALL.into_iter().filter(|state| *state != State::Ended) {
            let (count, state) = (self.sessions[state as usize].read(), state.name());
            let _ = writeln!(text, "{name}{{state=\"{state}\"}} {count}");
        }
        let name = "hallmark_verdicts_total";
        head(text, name, "counter", "Verdicts by outcome.");
        for (outcome, count) in &*self.verdicts.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
        }
        let name = "hallmark_check_seconds";
        head(text, name, "histogram", "Time of recomputing opened lanes.");
        self.check_seconds.render(name, text);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_buckets_are_cumulative() {
        let histogram = Histogram::new(ENTRIES);
        for value in [1.0, 3.0, 300.0] {
            histogram.observe(value);
        }
        let mut text = String::new();
        histogram.render("x", &mut text);
        assert!(
            text.contains("x_bucket{le=\"1\"} 1\nx_bucket{le=\"2\"} 1\nx_bucket{le=\"4\"} 2\n"),
            "{text}"
        );
        assert!(
            text.ends_with("x_bucket{le=\"256\"} 2\nx_bucket{le=\"+Inf\"} 3\nx_sum 304\nx_count 3\n"),
            "{text}"
        );
    }
}
