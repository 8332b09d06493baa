//! Durable, verified, published submissions per second, with the clients on the same machine.
//!
//! `cargo bench -p hallmark-registry --bench submissions`. Prints rate and latencies of a steady load once, then lets
//! criterion repeat batches of it. `HALLMARK_LOAD_SECONDS` sets the length of the steady load.

#![allow(clippy::print_stdout, reason = "figures are this program's data")]
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a bench that cannot go on says where"
)]

#[path = "../tests/it/sample.rs"]
mod sample;
#[path = "../tests/it/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attest::key::SigningKey;
use criterion::{Criterion, Throughput};
use registry::{Config, start};
use sample::{sample_of, statement};
use wire::Wire;

/// Connections that are kept busy. More of them make larger batches and longer waits.
const CLIENTS: usize = 64;

/// Submissions of one criterion iteration.
const BATCH: usize = 2_000;

fn main() {
    let seconds: f64 = std::env::var("HALLMARK_LOAD_SECONDS").map_or(5.0, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(
        folder.path().join("data"),
        "127.0.0.1:0".parse().unwrap(),
        "localhost/load".to_owned(),
    );
    config.log_requests = false;
    config.limits.submissions = None;
    config.limits.reads = None;
    let running = start(config).unwrap();
    let mut source = Source::new();

    let bodies = source.take((seconds * 4_000.0) as usize);
    let bytes = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len();
    let before = processor_seconds();
    let mut load = submit(running.address(), &bodies, Some(Duration::from_secs_f64(seconds)));
    let spent = (processor_seconds() - before) / load.latencies.len() as f64;
    load.print(bytes);
    println!(
        "{:.0} µs of processor time for each, clients included: {:.0}/s on two processors that do nothing else",
        spent * 1e6,
        2.0 / spent
    );
    drop(bodies);

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("registry");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("submissions", |bencher| {
        bencher.iter_custom(|iterations| {
            (0..iterations)
                .map(|_| {
                    let bodies = source.take(BATCH);
                    let started = Instant::now();
                    submit(running.address(), &bodies, None);
                    started.elapsed()
                })
                .sum()
        });
    });
    group.finish();
    criterion.final_summary();
    running.stop().unwrap();
    let report = registry::fsck(&folder.path().join("data")).unwrap();
    assert!(report.is_sound(), "{report}");
    println!("fsck: sound over {} entries", report.entries);
}

/// Processor time of this process so far: fields 14 and 15 of `/proc/self/stat`, in ticks of 1/100 s (proc(5)). Where
/// others compute on the same machine it says more than the wall clock.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_ascii_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// Signs ahead of the clock: the clients' keys are no part of what is measured.
struct Source {
    key: SigningKey,
    statement: attest::statement::Statement,
    next: u64,
}

impl Source {
    fn new() -> Self {
        Self {
            key: SigningKey::generate().unwrap(),
            statement: statement(0),
            next: 0,
        }
    }

    fn take(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| {
                self.next += 1;
                self.statement.subject[0].digest.sha256 =
                    attest::digest::Sha256::of(&self.next.to_le_bytes());
                sample_of(&self.statement, &self.key).body
            })
            .collect()
    }
}

/// Latencies of acknowledged submissions and the time they took together.
struct Load {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Load {
    fn print(&mut self, bytes: usize) {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            self.latencies[((self.latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
        };
        println!(
            "{CLIENTS} clients, bodies of {bytes} bytes: {} submissions in {:.2} s = {:.0}/s; latency p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.latencies.len(),
            self.elapsed.as_secs_f64(),
            self.latencies.len() as f64 / self.elapsed.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// Submits the bodies over all connections until they or the time end. Every answer must be 201.
fn submit(address: SocketAddr, bodies: &[Vec<u8>], limit: Option<Duration>) -> Load {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let latencies = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut wire = Wire::connect(address).unwrap();
                    let mut latencies = Vec::new();
                    while limit.is_none_or(|limit| started.elapsed() < limit) {
                        let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            break;
                        };
                        let sent = Instant::now();
                        let answer = wire.post(body).unwrap();
                        assert_eq!(answer.status, 201, "{}", answer.text());
                        latencies.push(sent.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    Load {
        latencies,
        elapsed: started.elapsed(),
    }
}
