use attest::statement::{Caveat, Count, DeviceKind, Record, Statement, Status};
use reports::page::{self, fragment};
use reports::{Check, Verdict, table};

use crate::html::well_formed;
use crate::sample;

fn page_of(statement: &Statement) -> String {
    let html = page::html(&[sample::shown(statement)]);
    well_formed(&html);
    html
}

/// Every string a statement holds replaced, except those with a fixed form.
fn with_strings(statement: &Statement, text: &str) -> Statement {
    let mut hostile = statement.clone();
    let measured = &mut hostile.predicate.measured;
    measured.tool.name = text.to_owned();
    measured.tool.version = text.to_owned();
    measured.suite.name = text.to_owned();
    measured.measurement_started_at = text.to_owned();
    measured.measurement_finished_at = text.to_owned();
    measured.environment = [(text.to_owned(), text.to_owned())].into();
    for code in &mut measured.code {
        code.path = text.to_owned();
    }
    for device in &mut measured.devices {
        for field in [
            &mut device.id,
            &mut device.name,
            &mut device.vendor,
            &mut device.driver.name,
            &mut device.driver.version,
        ] {
            *field = text.to_owned();
        }
    }
    for spec in &mut measured.specs {
        spec.title = text.to_owned();
    }
    for (i, record) in measured.records.iter_mut().enumerate() {
        record.case.name = text.to_owned();
        record.case.dims = [(text.to_owned(), 1)].into();
        if i % 2 == 0 {
            record.workload = text.to_owned();
            record.status = Status::Failed;
        }
        record.reason = Some(text.to_owned());
    }
    if let Some(freshness) = &mut hostile.predicate.freshness {
        freshness.origin = text.to_owned();
    }
    hostile
}

#[test]
fn a_page_is_well_formed_and_loads_nothing() {
    for statement in [sample::statement(), sample::example(), sample::small()] {
        let html = page_of(&statement);
        for outside in [
            "http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("default-src 'none'"));
    }
}

#[test]
fn a_stranger_s_text_is_never_markup() {
    for text in [
        "<script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "' onload='alert(1)",
        "</title></style></svg><img src=x onerror=alert(1)>",
        "&lt;b&gt;<!--",
        "a\u{202e}b\u{0}c\nd",
    ] {
        let statement = with_strings(&sample::small(), text);
        let mut shown = sample::shown(&statement);
        shown.log.as_mut().expect("a logged sample").origin = text.to_owned();
        shown.checks[0].name = text.to_owned();
        shown.checks[1].detail = text.to_owned();
        shown.checks[1].verdict = Verdict::Failed;
        let html = page::titled(text, &[shown]);
        let texts = well_formed(&html);
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<!--"));
        assert!(!html.contains('\u{202e}') && !html.contains('\u{0}'));
        if text.contains("alert") {
            assert!(texts.contains("alert(1)"), "shown as text: {text}");
        }
    }
}

#[test]
fn a_software_device_is_named_as_one_wherever_it_stands() {
    let statement = sample::statement();
    let html = page_of(&statement);
    assert!(
        html.contains("is a software device: a graphics API computed by the processor. It is not a GPU.")
    );
    let spots: Vec<&str> = html
        .match_indices("vulkan:0")
        .map(|(at, _)| {
            let mut from = at.saturating_sub(140);
            while !html.is_char_boundary(from) {
                from -= 1;
            }
            let mut to = (at + 160).min(html.len());
            while !html.is_char_boundary(to) {
                to -= 1;
            }
            &html[from..to]
        })
        .collect();
    assert!(spots.len() > 10, "{}", spots.len());
    assert!(spots.iter().all(|spot| spot.contains("software")), "{spots:#?}");
    let mut hardware = sample::small();
    hardware.predicate.measured.devices[1].kind = DeviceKind::Gpu;
    assert!(!page_of(&hardware).contains("is a software device"));
}

#[test]
fn pages_survive_no_attestation_no_record_and_one_of_every_fate() {
    well_formed(&page::html(&[]));
    let mut none = sample::small();
    none.predicate.measured.records.clear();
    assert!(page_of(&none).contains("There are no records."));
    none.predicate.measured.devices.clear();
    none.predicate.measured.specs.clear();
    page_of(&none);

    for status in [
        Status::Complete,
        Status::Partial,
        Status::Unsupported,
        Status::Failed,
    ] {
        let mut one = sample::small();
        one.predicate.measured.records.truncate(1);
        one.predicate.measured.records[0].status = status;
        page_of(&one);
        one.predicate.measured.records[0].timing = None;
        one.predicate.measured.records[0].quality = None;
        page_of(&one);
    }
}

#[test]
fn plots_survive_equal_samples_huge_ranges_and_absurd_work() {
    let edit = |change: &dyn Fn(usize, &mut Record)| {
        let mut statement = sample::small();
        for (i, record) in statement.predicate.measured.records.iter_mut().enumerate() {
            change(i, record);
        }
        page_of(&statement)
    };
    let samples = |record: &mut Record, of: &dyn Fn(usize) -> u64| {
        let timing = record.timing.as_mut().expect("a complete record");
        for (i, ns) in timing.samples_ns.iter_mut().enumerate() {
            *ns = of(i);
        }
    };
    edit(&|_, record| samples(record, &|_| 1_000));
    edit(&|_, record| samples(record, &|_| 1));
    let spread = edit(&|_, record| {
        samples(record, &|i| {
            if i == 3 { 80_000_000_000_000 } else { 1 + i as u64 }
        });
    });
    assert!(spread.contains("per launch, log scale"));
    edit(&|_, record| {
        record
            .timing
            .as_mut()
            .expect("a complete record")
            .launches_per_sample = u64::MAX;
    });
    edit(&|i, record| {
        let work = &mut record.timing.as_mut().expect("a complete record").work;
        (work.flop, work.bytes) = [
            (Count(0), Count(0)),
            (Count(u64::MAX), Count(0)),
            (Count(0), Count(u64::MAX)),
            (Count(u64::MAX), Count(1)),
        ][i % 4];
    });
}

#[test]
fn a_crowd_is_cut_and_the_page_says_so() {
    let mut statement = sample::small();
    let measured = &mut statement.predicate.measured;
    let record = measured.records[0].clone();
    measured.records = vec![record; 3_000];
    let device = measured.devices[1].clone();
    measured.devices.extend(vec![device; 300]);
    measured.environment = (0..900)
        .map(|i| (format!("fact{i:04}"), "x".repeat(40)))
        .collect();
    let html = page_of(&statement);
    for note in [
        "2,000 more records are not shown here.",
        "2,928 more sample plots are not shown here.",
        "2,976 more records are not shown here.",
        "238 more devices are not shown here.",
        "700 more facts are not shown here.",
    ] {
        assert!(html.contains(note), "{note}");
    }
    assert!(html.len() < 4 << 20, "{} bytes", html.len());
}

#[test]
fn a_missing_ceiling_is_said_and_never_guessed() {
    let mut statement = sample::small();
    let records = &mut statement.predicate.measured.records;
    records.retain(|record| !record.workload.starts_with("mem.") && !record.workload.starts_with("gemm.f16"));
    let html = page_of(&statement);
    assert!(html.contains("memory: no ceiling measured (no complete mem.triad record)"));
    assert!(html.contains("f16: no ceiling measured (no complete gemm record of this type)"));
    assert!(!html.contains("f32: no ceiling measured"));
}

#[test]
fn a_ceiling_from_a_doubtful_record_names_its_caveat_and_yields_to_a_sound_one() {
    let mut statement = sample::statement();
    let measured = &mut statement.predicate.measured;
    let gemm = |record: &&mut Record| record.workload == "gemm.i8.v1" && record.device == 0;
    let mut found: Vec<&mut Record> = measured.records.iter_mut().filter(gemm).collect();
    found[1].caveats = vec![Caveat::Throttled];
    assert!(page_of(&statement).contains("<li>i8: gemm.i8.v1 m256</li>"));
    for record in statement.predicate.measured.records.iter_mut().filter(gemm) {
        record.caveats = vec![Caveat::Throttled];
    }
    assert!(page_of(&statement).contains("<li>i8: gemm.i8.v1 m1024, throttled</li>"));
}

#[test]
fn a_power_limit_is_shown_and_is_no_caveat() {
    let mut statement = sample::statement();
    let record = &mut statement.predicate.measured.records[0];
    record.conditions[0].limits = Some(vec!["swPowerCap".to_owned()]);
    assert_eq!(record.required_caveats().count(), 0);
    assert!(page_of(&statement).contains(">complete</span>; held by swPowerCap</td>"));
    let record = &mut statement.predicate.measured.records[0];
    record.conditions[0].throttle = Some(vec!["hwSlowdown".to_owned()]);
    assert!(record.required_caveats().eq([Caveat::Throttled]));
}

#[test]
fn a_failed_check_stands_at_the_top_and_takes_back_the_claims() {
    let statement = sample::small();
    let mut shown = sample::shown(&statement);
    shown.checks[3].verdict = Verdict::Failed;
    let html = page::html(&[shown]);
    let warning = html.find("failed a check: inclusion").expect("a warning");
    assert!(warning < html.find("<h2").expect("a heading"));
    assert!(html.contains("Nothing: a check failed.") && !html.contains("nobody changed a byte"));

    let mut unchecked = sample::shown(&statement);
    unchecked.checks.clear();
    unchecked.log = None;
    let html = page::html(&[unchecked]);
    assert!(html.contains("has been checked.") && html.contains("Nothing yet: no check was made."));
    assert!(html.contains("in no log"));
}

#[test]
fn two_attestations_on_one_page_are_told_apart() {
    let (first, second) = (sample::small(), sample::statement());
    let mut other = sample::shown(&second);
    other.digest = attest::digest::Sha256::of(b"another attestation");
    let html = page::html(&[sample::shown(&first), other]);
    well_formed(&html);
    assert!(html.contains("Attestation 1") && html.contains("Attestation 2"));
    assert!(html.contains("attestation c3a8d810bb92"));
}

#[test]
fn fragments_stand_on_their_own() {
    let statement = sample::small();
    let shown = sample::shown(&statement);
    let mut rows = table::rows(std::slice::from_ref(&shown));
    rows.truncate(3);
    well_formed(&fragment::bars(&rows));
    well_formed(&fragment::distributions(&shown));
    well_formed(&fragment::rooflines(&shown));
    insta::assert_snapshot!("records", fragment::records_table(&rows));
    let checks = vec![Check {
        name: "signature".to_owned(),
        verdict: Verdict::Passed,
        detail: "by key 9d60".to_owned(),
    }];
    insta::assert_snapshot!("checks", fragment::checks(&checks));
    let mut record = statement.predicate.measured.records[0].clone();
    record
        .timing
        .as_mut()
        .expect("a complete record")
        .samples_ns
        .truncate(6);
    let plot = fragment::distribution(&shown, &record).expect("six samples");
    well_formed(&plot);
    insta::assert_snapshot!("distribution", plot);
}
