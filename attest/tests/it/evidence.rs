//! What verdicts add to a statement, and what they do not.

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::evidence::{Assessment, LoggedVerdict, assess};
use attest::exact::outputs;
use attest::key::P256;
use attest::proof::{Outcome, Work};
use attest::statement::{Attempt, Count, Evidence, ProofRef, Quality, Statement, VerifiedStatement};

use crate::proof::scene::Scene;
use crate::{log, sample};

const VERDICT_INDEX: u64 = 9;

/// A proof whose rate is 10^9 units/s by its stated time.
fn work() -> Work {
    Work::Mlp {
        lanes: 200,
        width: 64,
        layers: 2,
        steps: 3,
    }
}

struct Case {
    scene: Scene,
    verdict: LoggedVerdict,
    statement: Statement,
}

impl Case {
    /// A run of two devices under the attempt of a session on both, the first record's outputs as its seed gives them.
    fn sound() -> Self {
        let scene = Scene::honest(&[work(), work()]);
        let verdict = scene.verdict();
        let mut statement = sample::statement(&sample::two_devices());
        for (index, subject) in scene.request_subjects().iter().enumerate() {
            statement.subject[index + 1].digest = subject.digest.clone();
        }
        let verdict = LoggedVerdict {
            digest: Sha256::of(b"verdict"),
            log_index: VERDICT_INDEX,
            verdict,
        };
        let tasks = &verdict.verdict.predicate.tasks;
        let proofs = tasks.iter().map(|task| ProofRef {
            verdict: verdict.digest,
            log_index: VERDICT_INDEX,
            device: task.device,
            work: task.work,
            proven: task.proven.clone().expect("proven"),
        });
        let attempt = Attempt {
            log_index: 0,
            digest: scene.digest(),
            nonce: scene.session.nonce.expect("started"),
        };
        let seed = attempt.seed(&sample::provider().public().id());
        for record in &mut statement.predicate.measured.records {
            record.seed = seed;
            let digest = outputs::digest(&record.workload, &record.case.dims, &seed.0);
            if let (Some(Quality::Exact { output_sha256, .. }), Some(digest)) = (&mut record.quality, digest)
            {
                *output_sha256 = digest;
            }
        }
        let statement = statement
            .with_proofs(Some(attempt), proofs.collect())
            .expect("sound");
        Self {
            scene,
            verdict,
            statement,
        }
    }

    fn read(&self) -> VerifiedStatement {
        let provider = sample::provider();
        let envelope = Envelope::sign(self.statement.to_bytes().expect("sound"), &provider);
        let opened = envelope.open(provider.public(), &P256).expect("signed");
        Statement::read(&opened).expect("sound")
    }

    fn assess(&self) -> Assessment {
        assess(&self.read(), std::slice::from_ref(&self.verdict))
    }
}

fn levels(assessment: &Assessment) -> (Vec<Evidence>, Vec<Evidence>) {
    let records = assessment.records.iter().map(|record| record.support.evidence);
    (
        records.collect(),
        assessment.proofs.iter().map(|proof| proof.evidence).collect(),
    )
}

#[test]
fn proofs_are_timed_and_exact_outputs_challenged_by_the_registrys_word_alone() {
    let case = Case::sound();
    let (records, proofs) = levels(&case.assess());
    assert_eq!(proofs, [Evidence::Timed; 2]);
    let exact = |record: &attest::statement::Record| {
        matches!(record.quality, Some(Quality::Exact { .. }))
            && outputs::cost(&record.workload, &record.case.dims).is_some()
    };
    let stated = &case.statement.predicate.measured.records;
    let want: Vec<_> = stated
        .iter()
        .map(|record| match exact(record) {
            true => Evidence::Challenged,
            false => Evidence::Claimed,
        })
        .collect();
    assert!(want.contains(&Evidence::Challenged), "{want:?}");
    assert_eq!(records, want);
    let (records, proofs) = levels(&assess(&case.read(), &[]));
    assert_eq!(proofs, [Evidence::Claimed; 2]);
    assert!(records.iter().all(|&level| level == Evidence::Claimed));
}

/// What is changed in a sound case, and its name.
type Spoil = (&'static str, fn(&mut Case));

#[test]
fn a_verdict_that_is_of_others_or_says_otherwise_supports_nothing() {
    let spoils: [Spoil; 5] = [
        ("of another provider", |case| {
            case.verdict.verdict.predicate.key_id = Sha256::of(b"another");
        }),
        ("of another device", |case| {
            let subjects = &mut case.verdict.verdict.subject;
            subjects[1].digest.sha256 = Sha256::of(b"another");
            subjects[2].digest.sha256 = Sha256::of(b"a third");
        }),
        ("of other figures", |case| {
            for task in &mut case.verdict.verdict.predicate.tasks {
                task.proven.as_mut().expect("proven").elapsed_ns += 1;
            }
        }),
        ("of a lost session", |case| {
            case.verdict.verdict.predicate.outcome = Outcome::Wrong;
        }),
        ("elsewhere in the log", |case| case.verdict.log_index += 1),
    ];
    for (name, spoil) in spoils {
        let mut case = Case::sound();
        spoil(&mut case);
        let (_, proofs) = levels(&case.assess());
        assert_eq!(proofs, [Evidence::Claimed; 2], "{name}");
    }
}

#[test]
fn inputs_of_another_nonce_are_claimed() {
    let mut case = Case::sound();
    case.verdict.verdict.predicate.nonce = Some(Sha256::of(b"another nonce"));
    let (records, _) = levels(&case.assess());
    assert!(records.iter().all(|&level| level == Evidence::Claimed));
    assert_ne!(case.scene.digest(), Sha256::of(log::ORIGIN.as_bytes()));
}

#[test]
fn outputs_that_the_seed_does_not_give_are_implausible() {
    let mut case = Case::sound();
    let mut changed = 0;
    for record in &mut case.statement.predicate.measured.records {
        if outputs::cost(&record.workload, &record.case.dims).is_none() {
            continue;
        }
        if let Some(Quality::Exact { output_sha256, .. }) = &mut record.quality {
            *output_sha256 = Sha256::of(b"made up");
            changed += 1;
        }
    }
    assert!(changed > 0);
    let marked = case.assess().records;
    let marked = marked.iter().filter(|record| record.implausible.is_some());
    assert_eq!(marked.count(), changed);
}

#[test]
fn a_rate_far_past_what_was_proven_is_implausible() {
    let mut case = Case::sound();
    assert!(
        case.assess()
            .records
            .iter()
            .any(|record| record.implausible.is_none())
    );
    // A thousand times slower proof: the records, unchanged, are now far past it.
    for (proof, task) in case
        .statement
        .predicate
        .proofs
        .iter_mut()
        .zip(&mut case.verdict.verdict.predicate.tasks)
    {
        let slow = attest::proof::Proven::of(&proof.work, 86_400_000_000_000);
        assert!(slow.rate < Count(1_000_000));
        proof.proven = slow.clone();
        task.proven = Some(slow);
    }
    let assessment = case.assess();
    let told: Vec<_> = assessment
        .records
        .iter()
        .filter_map(|record| record.implausible.as_ref())
        .collect();
    assert!(
        told.iter().any(|reason| reason.contains("proven rate")),
        "{told:?}"
    );
}
