//! What was proven, and what cannot be, wherever records are shown.

use attest::digest::Sha256;
use attest::evidence::{Assessment, RecordSupport, Support};
use attest::proof::{Proven, Work};
use attest::statement::{Evidence, ProofRef, Statement};
use reports::table::{csv, json, markdown, proofs, rate};
use reports::text::{Terminal, UNLIMITED, table};
use reports::{Shown, page};

use crate::sample;

const WORK: Work = Work::Mlp {
    lanes: 1 << 20,
    width: 512,
    layers: 8,
    steps: 64,
};

fn proven() -> Statement {
    let mut statement = sample::statement();
    statement.predicate.proofs = vec![ProofRef {
        verdict: Sha256::of(b"verdict"),
        log_index: 7,
        device: 0,
        work: WORK,
        proven: Proven::of(&WORK, 10_000_000_000),
    }];
    statement
}

fn assessment(statement: &Statement, evidence: Evidence) -> Assessment {
    let support = |because: &str| Support {
        evidence,
        because: because.to_owned(),
    };
    let records = statement
        .predicate
        .measured
        .records
        .iter()
        .map(|_| RecordSupport {
            support: support("recomputed"),
            implausible: None,
        });
    Assessment {
        records: records.collect(),
        proofs: vec![support("verdict at leaf 7")],
    }
}

fn terminal(shown: &[Shown<'_>]) -> String {
    let plain = Terminal {
        width: UNLIMITED,
        colour: false,
    };
    table(shown, plain)
}

#[test]
fn a_proof_is_shown_as_a_lower_bound_with_what_bears_it_out() {
    let statement = proven();
    let mut one = sample::shown(&statement);
    for (assessment, level) in [
        (None, Evidence::Claimed),
        (Some(assessment(&statement, Evidence::Timed)), Evidence::Timed),
    ] {
        one.assessment = assessment;
        let shown = std::slice::from_ref(&one);
        assert_eq!(proofs(shown)[0].support, level);
        for text in [terminal(shown), page::html(shown)] {
            // 2 * 2^20 * 512^2 * 64 operations in 10 s.
            assert!(text.contains("3.518 TOP/s"), "{text}");
            assert!(text.contains("66 of 1,048,576"), "{text}");
        }
        let document: serde_json::Value = serde_json::from_str(&json(shown)).expect("JSON");
        assert_eq!(document["proofs"][0]["workload"], "proof.mlp.i8.v1");
        assert_eq!(document["proofs"][0]["support"], serde_json::json!(level));
    }
}

#[test]
fn evidence_of_a_row_is_what_was_found_and_not_what_was_said() {
    let statement = proven();
    let mut one = sample::shown(&statement);
    one.assessment = Some(assessment(&statement, Evidence::Challenged));
    let shown = std::slice::from_ref(&one);
    assert!(terminal(shown).contains("challenged"));
    assert!(csv(shown).contains("challenged") && markdown(shown).contains("challenged"));
}

#[test]
fn figures_that_cannot_be_are_marked_everywhere() {
    let statement = proven();
    let mut one = sample::shown(&statement);
    let mut found = assessment(&statement, Evidence::Claimed);
    found.records[0].implausible = Some("faster than light".to_owned());
    one.assessment = Some(found);
    let shown = std::slice::from_ref(&one);
    for text in [terminal(shown), page::html(shown), json(shown)] {
        assert!(text.contains("faster than light"), "{text}");
    }
}

#[test]
fn rates_have_their_work_in_the_unit() {
    let reads = Work::Vram {
        entries: 1 << 20,
        lanes: 100,
        steps: 10,
        rounds: 16,
    };
    let count = attest::statement::Count(45_670_000);
    assert_eq!(rate(&reads, count), "45.67 M reads/s");
    assert_eq!(rate(&WORK, count), "45.67 MOP/s");
}
