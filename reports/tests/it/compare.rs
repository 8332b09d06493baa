use attest::digest::Sha256;
use attest::spec::Cache;
use attest::statement::{Caveat, Evidence, Mode, PathClass, Quality, Record, Statement, Status};
use reports::compare::{
    self, Comparison, Obstacle, Outcome, Side, compare, compare_devices, json, markdown, text,
};
use reports::text::{Terminal, UNLIMITED};

use crate::sample;

fn slowed(statement: &Statement, percent: u64) -> Statement {
    let mut slowed = statement.clone();
    for record in &mut slowed.predicate.measured.records {
        for ns in &mut record.timing.as_mut().expect("a complete record").samples_ns {
            *ns = *ns * percent / 100;
        }
    }
    slowed
}

fn edited(edit: impl Fn(&mut Record)) -> Comparison {
    let a = sample::small();
    let mut b = a.clone();
    edit(&mut b.predicate.measured.records[2]);
    compare(&a, &b)
}

/// Reasons of the third record of the first device, the only one that [`edited`] touches.
fn reasons(comparison: &Comparison) -> Vec<Obstacle> {
    match &comparison.devices[0].records[2].outcome {
        Outcome::NotComparable { reasons } => reasons.clone(),
        other => panic!("comparable: {other:?}"),
    }
}

#[test]
fn a_statement_is_indistinguishable_from_itself() {
    let a = sample::statement();
    let counts = compare(&a, &a).counts();
    assert_eq!((counts.faster, counts.slower, counts.not_comparable), (0, 0, 0));
    assert_eq!(counts.indistinguishable, 48);
}

#[test]
fn swapping_the_sides_swaps_the_verdict() {
    let a = sample::statement();
    for percent in [
        50, 95, 96, 97, 98, 99, 101, 102, 103, 104, 105, 106, 107, 108, 200,
    ] {
        let b = slowed(&a, percent);
        let (there, back) = (compare(&a, &b), compare(&b, &a));
        let pairs = |comparison: &Comparison| -> Vec<Outcome> {
            let records = comparison.devices.iter().flat_map(|device| &device.records);
            records.map(|pair| pair.outcome.clone()).collect()
        };
        for (there, back) in pairs(&there).iter().zip(pairs(&back)) {
            assert!(
                matches!(
                    (there, &back),
                    (Outcome::Faster { .. }, Outcome::Slower { .. })
                        | (Outcome::Slower { .. }, Outcome::Faster { .. })
                        | (
                            Outcome::Indistinguishable { .. },
                            Outcome::Indistinguishable { .. }
                        )
                ),
                "{percent} %: {there:?} {back:?}"
            );
        }
    }
}

#[test]
fn ten_percent_more_time_is_slower_and_one_percent_is_not() {
    let a = sample::statement();
    assert_eq!(compare(&a, &slowed(&a, 110)).counts().slower, 48);
    assert_eq!(compare(&a, &slowed(&a, 101)).counts().indistinguishable, 48);
    assert_eq!(compare(&a, &slowed(&a, 90)).counts().faster, 48);
}

#[test]
fn another_specification_case_path_or_cache_mode_is_not_comparable() {
    let other = Sha256::of(b"another");
    let spec = reasons(&edited(|record| record.spec_digest = other));
    assert!(matches!(&spec[..], [Obstacle::Spec { b, .. }] if *b == other));
    let case = reasons(&edited(|record| *record.case.dims.get_mut("m").expect("m") = 7));
    assert!(matches!(&case[..], [Obstacle::Case { .. }]));
    let path = reasons(&edited(|record| record.path = PathClass::Tuned));
    assert!(matches!(
        &path[..],
        [Obstacle::Path {
            b: PathClass::Tuned,
            ..
        }]
    ));
    let cache = reasons(&edited(|record| {
        record.timing.as_mut().expect("a complete record").cache = Cache::Hot;
    }));
    assert!(matches!(&cache[..], [Obstacle::Cache { b: Cache::Hot, .. }]));
}

#[test]
fn burst_beside_sustained_is_not_comparable() {
    let modes = reasons(&edited(|record| {
        record.timing.as_mut().expect("a complete record").mode = Mode::Sustained;
    }));
    assert_eq!(
        modes,
        [Obstacle::Mode {
            a: Mode::Burst,
            b: Mode::Sustained
        }]
    );
    assert_eq!(modes[0].to_string(), "modes differ: burst and sustained");
}

#[test]
fn every_caveat_and_every_unsound_status_is_named_with_its_side() {
    for caveat in [Caveat::Throttled, Caveat::Shared, Caveat::Noisy, Caveat::Partial] {
        let found = reasons(&edited(|record| record.caveats = vec![caveat]));
        assert_eq!(
            found,
            [Obstacle::Caveat {
                side: Side::B,
                caveat
            }]
        );
    }
    for status in [Status::Partial, Status::Unsupported, Status::Failed] {
        let found = reasons(&edited(|record| record.status = status));
        assert!(matches!(found[0], Obstacle::Status { side: Side::B, status: got, .. } if got == status));
    }
}

#[test]
fn too_few_samples_give_no_verdict() {
    let found = reasons(&edited(|record| {
        record
            .timing
            .as_mut()
            .expect("a complete record")
            .samples_ns
            .truncate(6);
    }));
    assert_eq!(
        found[0].to_string(),
        "B has no interval: 6 samples give no 97.5 % interval of the median; at least 7 are needed"
    );
}

#[test]
fn a_chosen_seed_does_not_compare_with_a_registry_s() {
    let found = reasons(&edited(|record| {
        record.seed = Sha256::of(b"nonce");
        record.evidence = Evidence::Challenged;
    }));
    assert_eq!(found, [Obstacle::SeedClass { own: Side::A }]);
}

#[test]
fn exact_outputs_that_differ_for_one_seed_are_not_compared_by_speed() {
    let a = sample::small();
    let mut b = a.clone();
    if let Some(Quality::Exact { output_sha256, .. }) = &mut b.predicate.measured.records[0].quality {
        *output_sha256 = Sha256::of(b"another output");
    }
    let first = &compare(&a, &b).devices[0].records[0];
    assert_eq!(
        first.outcome,
        Outcome::NotComparable {
            reasons: vec![Obstacle::Outputs]
        }
    );
}

#[test]
fn a_record_on_one_side_only_is_listed_for_that_side() {
    let a = sample::small();
    let mut b = a.clone();
    b.predicate.measured.records.remove(0);
    let only = |comparison: Comparison, side| {
        comparison.devices[0].records.iter().any(|pair| {
            pair.workload == "mem.copy.v1"
                && pair.outcome
                    == Outcome::NotComparable {
                        reasons: vec![Obstacle::OnlyIn { side }],
                    }
        })
    };
    assert!(only(compare(&a, &b), Side::A));
    assert!(only(compare(&b, &a), Side::B));
}

#[test]
fn devices_of_one_api_meet_first_and_software_against_hardware_is_named() {
    let mut a = sample::statement();
    a.predicate.measured.devices.swap(0, 1);
    for record in &mut a.predicate.measured.records {
        record.device = [1, 0, 2][record.device as usize];
    }
    let b = sample::statement();
    let met: Vec<(u32, u32)> = compare(&a, &b)
        .devices
        .iter()
        .map(|pair| (pair.a.index, pair.b.index))
        .collect();
    assert_eq!(met, [(0, 1), (1, 0), (2, 2)]);

    let across = compare_devices(&b, 1, &b, 2).expect("both devices exist");
    assert_eq!(
        across.devices[0].notes[0],
        "A is software (a graphics API on a processor, not a GPU), B is a GPU"
    );
    assert_eq!(
        compare_devices(&b, 0, &b, 3)
            .expect_err("three devices")
            .to_string(),
        "statement B has 3 devices, so no device 3; count from 0"
    );
    let few = compare(&b, &sample::small());
    assert_eq!(few.unpaired.len(), 1);
    assert_eq!((few.unpaired[0].side, few.unpaired[0].device.index), (Side::A, 2));
}

/// The first device of a small statement against one with a record of every fate.
fn various() -> Comparison {
    let a = sample::small();
    let mut b = slowed(&a, 120);
    let records = &mut b.predicate.measured.records;
    for ns in &mut records[1].timing.as_mut().expect("a complete record").samples_ns {
        *ns /= 2;
    }
    records[2] = a.predicate.measured.records[2].clone();
    records[3].caveats = vec![Caveat::Throttled, Caveat::Shared];
    records[4].status = Status::Failed;
    records[4].reason = Some("wrong | output".to_owned());
    records[5].path = PathClass::Vendor;
    records.remove(6);
    compare_devices(&a, 0, &b, 0).expect("both devices exist")
}

#[test]
fn the_terminal_gets_verdicts_reasons_and_both_qualities() {
    insta::assert_snapshot!(text(
        &various(),
        Terminal {
            width: UNLIMITED,
            colour: false
        }
    ));
    let narrow = text(
        &various(),
        Terminal {
            width: 72,
            colour: true,
        },
    );
    assert!(narrow.contains("\u{1b}[33mnot comparable"));
}

#[test]
fn markdown_keeps_reasons_inside_their_cell() {
    insta::assert_snapshot!(markdown(&various()));
}

#[test]
fn json_names_the_format_and_each_reason_s_kind() {
    let mut comparison = various();
    comparison.devices[0].records.drain(..2);
    comparison.devices[0].records.truncate(2);
    let value: serde_json::Value = serde_json::from_str(&json(&comparison)).expect("JSON");
    assert_eq!(value["format"], compare::JSON_FORMAT);
    insta::assert_json_snapshot!(value);
}
