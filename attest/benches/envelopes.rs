//! Envelope checks per second beside the bare signature primitive, in one run:
//! `cargo bench -p hallmark-attest --bench envelopes`.
//!
//! An *envelope check* is everything between the bytes of an envelope and a verified payload: strict JSON, base64, the form
//! of the signature, SHA-256 of the pre-authentication encoding, and the signature. The *bare primitive* is the same
//! library's verification of the same message with the same key, parsed beforehand: SHA-256 and the signature. The ratio
//! of their rates is the share of a check that is cryptography; at least 0.9 is wanted of both libraries. It is printed at
//! the end, from short turns of one and the other, so that a machine whose speed wanders moves both alike.
//!
//! `read` is what follows a check: a statement's shape and all of its figures, recomputed.

#![allow(clippy::print_stdout, reason = "the ratios are what this program is for")]

#[path = "../tests/it/sample.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

use std::hint::black_box;
use std::time::Instant;

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::{P256, PublicKey, SignatureCheck};
use attest::statement::Statement;
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use criterion::{Criterion, Throughput};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};

/// Samples of each of four records in a statement of about 20 KB.
const LARGE: usize = 360;

/// Turns of a ratio; an odd count has a middle one.
const TURNS: usize = 151;

/// Both sides of a turn are timed over this many calls.
const CALLS: u32 = 16;

/// AWS-LC with the key parsed once.
struct AwsLc(ParsedPublicKey);

impl AwsLc {
    fn new(key: &PublicKey) -> Self {
        Self(ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point()).expect("a point"))
    }
}

impl SignatureCheck for AwsLc {
    fn check(&self, _: &PublicKey, digest: &Sha256, der: &[u8]) -> bool {
        Digest::import_less_safe(&digest.0, &SHA256)
            .is_ok_and(|digest| self.0.verify_digest_sig(&digest, der).is_ok())
    }
}

/// One envelope and what each side needs to check it.
struct Subject {
    name: String,
    envelope: Envelope,
    json: Vec<u8>,
    pae: Vec<u8>,
    key: PublicKey,
    p256: VerifyingKey,
    aws: AwsLc,
}

impl Subject {
    fn new(name: &str, envelope: Envelope) -> Self {
        let key = sample::provider().public().clone();
        Self {
            name: format!("{name}, {} B", envelope.payload.len()),
            json: envelope.to_json(),
            pae: envelope.pae(),
            p256: VerifyingKey::from_sec1_bytes(key.point()).expect("a point"),
            aws: AwsLc::new(&key),
            key,
            envelope,
        }
    }

    fn check(&self, by: &dyn SignatureCheck) {
        let envelope = Envelope::parse(black_box(&self.json)).expect("an envelope");
        black_box(envelope.into_opened(&self.key, by).expect("a signature"));
    }

    fn bare_p256(&self) {
        let signature = DerSignature::from_bytes(black_box(&self.envelope.sig)).expect("DER");
        self.p256
            .verify(black_box(&self.pae), &signature)
            .expect("a signature");
    }

    fn bare_aws(&self) {
        let message = black_box(&self.pae);
        self.aws
            .0
            .verify_sig(message, &self.envelope.sig)
            .expect("a signature");
    }
}

fn seconds(calls: u32, call: &dyn Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the rates of both and the middle of the turns' ratios.
fn ratio(name: &str, bare: &dyn Fn(), check: &dyn Fn()) {
    let (mut bares, mut checks) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bares.push(seconds(CALLS, bare));
        checks.push(seconds(CALLS, check));
    }
    let ratios = bares.iter().zip(&checks).map(|(bare, check)| bare / check);
    let ratio = median(ratios.collect());
    println!(
        "{name:<28} bare {:>7.0}/s   check {:>7.0}/s   ratio {ratio:.3}   (0.9 wanted)",
        1.0 / median(bares),
        1.0 / median(checks),
    );
}

fn curves(criterion: &mut Criterion, subject: &Subject) {
    let mut group = criterion.benchmark_group(&subject.name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("p256 bare", |bench| bench.iter(|| subject.bare_p256()));
    group.bench_function("p256 check", |bench| bench.iter(|| subject.check(&P256)));
    group.bench_function("aws-lc-rs bare", |bench| bench.iter(|| subject.bare_aws()));
    group.bench_function("aws-lc-rs check", |bench| {
        bench.iter(|| subject.check(&subject.aws));
    });
    let verified = subject.envelope.open(&subject.key, &P256).expect("a signature");
    group.bench_function("parse", |bench| {
        bench.iter(|| Envelope::parse(black_box(&subject.json)).expect("an envelope"));
    });
    group.bench_function("read", |bench| {
        bench.iter(|| Statement::read(black_box(&verified)).expect("a sound statement"));
    });
    group.finish();
}

fn main() {
    let subjects = [
        Subject::new("small", sample::envelope(&sample::small())),
        Subject::new("large", sample::envelope(&sample::with_samples(LARGE))),
    ];
    let mut criterion = Criterion::default().configure_from_args();
    for subject in &subjects {
        curves(&mut criterion, subject);
    }
    criterion.final_summary();
    for subject in &subjects {
        ratio(
            &format!("p256       {}", subject.name),
            &|| subject.bare_p256(),
            &|| subject.check(&P256),
        );
        ratio(
            &format!("aws-lc-rs  {}", subject.name),
            &|| subject.bare_aws(),
            &|| subject.check(&subject.aws),
        );
    }
}
