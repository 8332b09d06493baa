//! All cheats, one file for each family, and the registry they are tried on.

pub(crate) mod attempts;
pub(crate) mod bodies;
pub(crate) mod clocks;
pub(crate) mod devices;
pub(crate) mod forward;
pub(crate) mod honest;
pub(crate) mod lanes;
pub(crate) mod lies;
pub(crate) mod line;
pub(crate) mod memory;
pub(crate) mod replays;
pub(crate) mod roots;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest::checkpoint::Unverified;
use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::{Outcome, Stated, Verdict, Work, registry_signed, seeds};
use attest::trust::TrustedRoot;
use registry::{Config, Rate};

use crate::bench::{Served, serve_with};
use crate::prover::{Done, Held};
use crate::wire::{Answer, Wire};
use line::Line;

/// Small, so that thousands of sessions take minutes.
pub(crate) const WORK: Work = Work::Mlp {
    lanes: 1000,
    width: 64,
    layers: 2,
    steps: 3,
};

/// Sessions at a time. They mostly wait for the registry's disk.
const AT_ONCE: usize = 8;

/// Names of the families, in the order they are tried: timed ones first, while nothing else runs.
pub(crate) const FAMILIES: [&str; 11] = [
    "memory", "devices", "forward", "lanes", "replays", "roots", "clocks", "attempts", "lies", "bodies",
    "honest",
];

/// How often, and how strictly.
pub(crate) struct Campaign {
    /// Of each cheat; those that take seconds are tried less often.
    pub(crate) trials: usize,
    /// Shares are held to the interval that a right registry leaves with this probability.
    pub(crate) level: f64,
    /// Another process, which does the work it is sent.
    pub(crate) worker: SocketAddr,
}

impl Campaign {
    /// Tries the cheats of these families, and tells each line as it comes.
    pub(crate) fn run(&self, families: &[&str], tell: &dyn Fn(&Line)) -> Vec<Line> {
        let site = Site::open(|_| {});
        let lines = families.iter().flat_map(|family| {
            let lines = self.family(&site, family);
            lines.iter().for_each(tell);
            lines
        });
        let lines = lines.collect();
        site.close();
        lines
    }

    fn family(&self, site: &Site, name: &str) -> Vec<Line> {
        let trials = self.trials;
        match name {
            "memory" => memory::lines(site, trials),
            "devices" => devices::lines(site, trials),
            "forward" => forward::lines(site, trials, self.worker),
            "lanes" => lanes::lines(site, trials, self.level),
            "replays" => replays::lines(site, trials),
            "roots" => roots::lines(site, trials),
            "clocks" => clocks::lines(site, trials),
            "attempts" => attempts::lines(site, trials),
            "lies" => lies::lines(site, trials),
            "bodies" => bodies::lines(trials),
            "honest" => honest::lines(site, trials),
            other => panic!("no family {other:?} of {FAMILIES:?}"),
        }
    }
}

/// A registry under attack.
pub(crate) struct Site {
    pub(crate) served: Served,
    pub(crate) trust: TrustedRoot,
}

impl Site {
    /// With all allowances wide open, so that checks catch what is caught.
    pub(crate) fn open(change: impl FnOnce(&mut Config)) -> Self {
        let plenty = Rate {
            per_second: 1e9,
            burst: 1e9,
        };
        let served = serve_with(|config| {
            let limits = &mut config.limits.sessions;
            (limits.attempts, limits.check_seconds) = (plenty, plenty);
            (limits.open_per_key, limits.open) = (1_000_000, 1_000_000);
            limits.commit = std::time::Duration::from_secs(600);
            change(config);
        });
        let trust = served.trust();
        Self { served, trust }
    }

    /// Stops it, and holds its folder to what it should hold: all that was seen, and the ends of attempts that were left.
    pub(crate) fn close(self) {
        let entries = self.entries();
        let report = self.served.stop();
        assert!(
            report.is_sound() && report.entries >= entries,
            "{entries}: {report}"
        );
    }

    /// Entries of the log.
    pub(crate) fn entries(&self) -> u64 {
        let note = self.served.wire().get("/checkpoint").unwrap();
        Unverified::parse(note.text()).unwrap().claimed().size
    }

    /// A provider of its own.
    pub(crate) fn crook(&self) -> Crook<'_> {
        Crook {
            number: 0,
            wire: self.served.wire(),
            key: SigningKey::generate().unwrap(),
            site: self,
        }
    }

    /// Tries a cheat `count` times, `at_once` at a time; `trial` says whether it was caught. Returns how many were.
    pub(crate) fn tries(
        &self,
        count: usize,
        at_once: usize,
        trial: impl Fn(&mut Crook<'_>) -> bool + Sync,
    ) -> usize {
        let (next, caught) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..at_once.min(count) {
                scope.spawn(|| {
                    let mut crook = self.crook();
                    loop {
                        crook.number = next.fetch_add(1, Ordering::Relaxed);
                        if crook.number >= count {
                            return;
                        }
                        caught.fetch_add(usize::from(trial(&mut crook)), Ordering::Relaxed);
                    }
                });
            }
        });
        caught.into_inner()
    }

    /// A line for a cheat that must be caught every time, but for one in a thousand.
    pub(crate) fn always(
        &self,
        trials: usize,
        cheat: &str,
        by: &str,
        trial: impl Fn(&mut Crook<'_>) -> bool + Sync,
    ) -> Line {
        Line::always(cheat, by, trials, self.tries(trials, AT_ONCE, trial))
    }
}

/// A provider that does as it likes.
pub(crate) struct Crook<'a> {
    /// Of the trial.
    pub(crate) number: usize,
    pub(crate) wire: Wire,
    pub(crate) key: SigningKey,
    pub(crate) site: &'a Site,
}

impl Crook<'_> {
    /// Opens an attempt and has the clock started. Returns the session's seed.
    pub(crate) fn begin(&mut self, works: &[Work]) -> (Held, Sha256) {
        let held = Held::open(&mut self.wire, &self.key, works);
        let seed = self.start(&held);
        (held, seed)
    }

    pub(crate) fn start(&mut self, held: &Held) -> Sha256 {
        let answer = held.post(&mut self.wire, "/start", b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let nonce = Sha256::from_hex(answer.json()["nonce"].as_str().unwrap()).unwrap();
        seeds::session(&nonce, &self.key.public().id(), &held.id)
    }

    /// Commits, and opens what is asked for.
    pub(crate) fn prove(&mut self, held: &Held, done: Done) -> Verdict {
        let answer = held.commit(&mut self.wire, &self.key, 0, &done);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = held.openings(&mut self.wire, &[done]);
        self.open(held, &body)
    }

    pub(crate) fn open(&mut self, held: &Held, body: &[u8]) -> Verdict {
        let answer = held.post(&mut self.wire, "/openings", body);
        self.verdict(&answer)
    }

    /// The verdict in a receipt, which must verify.
    pub(crate) fn verdict(&self, answer: &Answer) -> Verdict {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let logged = registry_signed(&answer.body, &self.site.trust).unwrap();
        Stated::<Verdict>::read(&logged.envelope).unwrap().predicate
    }

    /// A whole honest session.
    pub(crate) fn prove_honestly(&mut self) -> (Held, Verdict) {
        let (held, seed) = self.begin(&[WORK]);
        let verdict = self.prove(&held, Done::compute(&WORK, &seed, 0));
        (held, verdict)
    }

    pub(crate) fn abort(&mut self, held: &Held) {
        assert_eq!(held.post(&mut self.wire, "/abort", b"").status, 200);
    }
}

pub(crate) fn is_proven(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Proven && verdict.tasks.iter().all(|task| task.proven.is_some())
}

/// Whether the verdict is that lanes are wrong, for this reason, and proves nothing.
pub(crate) fn is_wrong(verdict: &Verdict, reason: &str) -> bool {
    let told = verdict.reason.as_ref().is_some_and(|told| told.contains(reason));
    let nothing = verdict.tasks.iter().all(|task| task.proven.is_none());
    verdict.outcome == Outcome::Wrong && told && nothing
}

/// Last part of a problem's type.
pub(crate) fn slug(answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let slug = problem["type"]
        .as_str()
        .and_then(|kind| kind.strip_prefix("urn:hallmark:problem:"));
    slug.unwrap_or_default().to_owned()
}

/// The middle value.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
