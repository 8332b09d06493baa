//! How far other traffic moves the times of honest providers.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attest::key::SigningKey;

use crate::Failure;
use crate::cheats::{Site, WORK, is_proven, median};
use crate::prover::Done;
use crate::sample::sample;

const CLIENTS: usize = 50;

/// What a session's work takes, on a device that leaves the processor alone.
const WORK_TIME: Duration = Duration::from_secs(3);

const SUBMISSIONS_PER_SECOND: usize = 200;

/// Rounds of all clients, half of them under load, in turn.
const ROUNDS: usize = 6;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let site = Site::open(|_| {});
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    let mut submitted = 0;
    for round in 0..ROUNDS {
        let loaded = round % 2 == 1;
        let (elapsed, count) = sessions(&site, loaded);
        if loaded { &mut busy } else { &mut quiet }.extend(elapsed);
        submitted += count;
    }
    let worst = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    let (quiet_worst, busy_worst) = (worst(&quiet), worst(&busy));
    let (quiet, busy) = (median(&mut quiet), median(&mut busy));
    let moved = 100.0 * (busy / quiet - 1.0);
    println!(
        "{CLIENTS} sessions at a time of {} s each: median {quiet:.4} s and worst {quiet_worst:.4} s when quiet; median \
         {busy:.4} s and worst {busy_worst:.4} s with {submitted} submissions meanwhile ({SUBMISSIONS_PER_SECOND}/s): moved by \
         {moved:.2} %",
        WORK_TIME.as_secs()
    );
    site.close();
    Ok(match moved.abs() < 2.0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Elapsed seconds of one round by the registry's clock, and how many submissions were logged meanwhile.
fn sessions(site: &Site, loaded: bool) -> (Vec<f64>, usize) {
    let (over, submitted, ready) = (AtomicBool::new(false), AtomicUsize::new(0), Barrier::new(CLIENTS));
    let elapsed = std::thread::scope(|scope| {
        if loaded {
            for client in 0..8 {
                let (over, submitted) = (&over, &submitted);
                scope.spawn(move || submit(site, client, over, submitted));
            }
        }
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| one(site, &ready))).collect();
        let elapsed = clients.into_iter().map(|client| client.join().unwrap()).collect();
        over.store(true, Ordering::Release);
        elapsed
    });
    (elapsed, submitted.into_inner())
}

fn one(site: &Site, ready: &Barrier) -> f64 {
    let mut crook = site.crook();
    ready.wait();
    let (held, seed) = crook.begin(&[WORK]);
    let began = Instant::now();
    let done = Done::compute(&WORK, &seed, 0);
    std::thread::sleep(WORK_TIME.saturating_sub(began.elapsed()));
    let verdict = crook.prove(&held, done);
    assert!(is_proven(&verdict), "{:?}", verdict.reason);
    let proven = verdict.tasks[0].proven.as_ref().unwrap();
    proven.elapsed_ns as f64 / 1e9
}

/// An eighth of the submissions.
fn submit(site: &Site, client: u64, over: &AtomicBool, submitted: &AtomicUsize) {
    let (mut wire, key) = (site.served.wire(), SigningKey::generate().unwrap());
    let pause = Duration::from_secs(8) / SUBMISSIONS_PER_SECOND as u32;
    let started = Instant::now();
    for number in 0.. {
        let due = pause * number;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        if over.load(Ordering::Acquire) {
            return;
        }
        let answer = wire
            .post(&sample(client << 32 | u64::from(number), &key).body)
            .unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        submitted.fetch_add(1, Ordering::Relaxed);
    }
}
