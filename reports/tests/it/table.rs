use attest::spec::Size;
use attest::statement::{Caveat, Library, Mode, PathClass, Session, Status, Stretch};
use reports::text::{Terminal, UNLIMITED};
use reports::{table, text};

use crate::sample;

/// Small cases of a CPU and a software device, with one record of every fate.
fn mixed() -> attest::statement::Statement {
    let mut statement = sample::small();
    let records = &mut statement.predicate.measured.records;
    records[0].caveats = vec![Caveat::Throttled, Caveat::Noisy];
    records[1].status = Status::Failed;
    records[1].reason = Some("wrong output at element 7: got 0.31, want 0.29, allowed 1.2e-5".to_owned());
    records[4].status = Status::Unsupported;
    records[4].reason = Some("no f16 storage".to_owned());
    (records[4].timing, records[4].quality) = (None, None);
    records[5].status = Status::Partial;
    records[5].caveats = vec![Caveat::Partial];
    let timing = records[5].timing.as_mut().expect("a complete record");
    timing.samples_ns.truncate(3);
    records[10]
        .timing
        .as_mut()
        .expect("a complete record")
        .energy_millijoules = Some(12_345);
    statement
}

#[test]
fn markdown_has_a_line_for_every_record() {
    let statement = mixed();
    insta::assert_snapshot!(table::markdown(&[sample::shown(&statement)]));
}

#[test]
fn csv_has_as_many_fields_in_every_line_as_columns() {
    let statement = mixed();
    let csv = table::csv(&[sample::shown(&statement)]);
    assert!(csv.split("\r\n").all(|line| !line.contains('\n')));
    let widths: Vec<usize> = parse_csv(&csv).iter().map(Vec::len).collect();
    assert_eq!(widths, vec![table::CSV_COLUMNS.len(); 17]);
    insta::assert_snapshot!(csv.replace("\r\n", "\n"));
}

#[test]
fn json_keeps_its_schema() {
    let mut statement = mixed();
    let keep =
        |record: &attest::statement::Record| record.workload.starts_with("mem") || record.timing.is_none();
    statement.predicate.measured.records.retain(keep);
    let json = table::json(&[sample::shown(&statement)]);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["format"], table::JSON_FORMAT);
    insta::assert_snapshot!(json);
}

#[test]
fn a_terminal_gets_aligned_columns() {
    let statement = mixed();
    let shown = [sample::shown(&statement)];
    insta::assert_snapshot!(text::table(
        &shown,
        Terminal {
            width: UNLIMITED,
            colour: false
        }
    ));
}

#[test]
fn a_narrow_terminal_gets_more_lines_and_loses_nothing() {
    let statement = sample::small();
    let shown = [sample::shown(&statement)];
    let narrow = text::table(
        &shown,
        Terminal {
            width: 80,
            colour: false,
        },
    );
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    let words = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    let wide = text::table(
        &shown,
        Terminal {
            width: UNLIMITED,
            colour: false,
        },
    );
    assert_eq!(words(&narrow), words(&wide));
    insta::assert_snapshot!(narrow);
}

#[test]
fn a_record_of_the_vendor_path_names_its_library() {
    let mut statement = sample::small();
    let record = &mut statement.predicate.measured.records[0];
    record.path = PathClass::Vendor;
    record.library = Some(Library {
        name: "cuBLASLt".to_owned(),
        version: "12.8.4".to_owned(),
        algorithm: "algorithm 66".to_owned(),
    });
    let shown = [sample::shown(&statement)];
    let wide = Terminal {
        width: UNLIMITED,
        colour: false,
    };
    let table = text::table(&shown, wide);
    assert!(
        table
            .lines()
            .any(|line| line.contains(" vendor ") && line.contains("; by cuBLASLt 12.8.4")),
        "{table}"
    );
    let rows: serde_json::Value = serde_json::from_str(&table::json(&shown)).expect("JSON");
    assert_eq!(rows["rows"][0]["library"]["algorithm"], "algorithm 66");
    assert!(rows["rows"][1].get("library").is_none());
}

#[test]
fn colours_appear_only_when_asked_for() {
    let statement = mixed();
    let shown = [sample::shown(&statement)];
    let plain = text::table(
        &shown,
        Terminal {
            width: 200,
            colour: false,
        },
    );
    let coloured = text::table(
        &shown,
        Terminal {
            width: 200,
            colour: true,
        },
    );
    assert!(!plain.contains('\u{1b}'));
    assert!(coloured.contains("\u{1b}[31m") && coloured.contains("\u{1b}[32m"));
}

#[test]
fn a_stranger_s_text_neither_runs_nor_moves_the_cursor() {
    let mut statement = sample::small();
    let measured = &mut statement.predicate.measured;
    measured.devices[0].name = "=HYPERLINK(\"http://x\")\u{1b}[2J|<img src=x>\n# h".to_owned();
    measured.devices[0].id = "@cmd".to_owned();
    measured.records[0].case.name = "+1".to_owned();
    let shown = [sample::shown(&statement)];
    let csv = parse_csv(&table::csv(&shown));
    assert_eq!(&csv[1][2], "'@cmd");
    assert!(
        csv[1][6].starts_with("'=HYPERLINK(\"http://x\")"),
        "{}",
        csv[1][6]
    );
    assert_eq!(&csv[1][9], "'+1");
    let markdown = table::markdown(&shown);
    assert!(!markdown.contains("<img") && !markdown.contains("http://") && !markdown.contains('\u{1b}'));
    assert_eq!(markdown.lines().filter(|line| line.starts_with("# ")).count(), 0);
    let text = text::table(
        &shown,
        Terminal {
            width: 120,
            colour: false,
        },
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_software_device_is_named_as_one_in_every_format() {
    let statement = sample::small();
    let shown = [sample::shown(&statement)];
    let llvmpipe = |text: &str| {
        text.lines()
            .filter(|line| line.contains("llvmpipe"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let terminal = Terminal {
        width: UNLIMITED,
        colour: false,
    };
    for table in [
        table::markdown(&shown),
        table::csv(&shown),
        text::table(&shown, terminal),
    ] {
        let lines = llvmpipe(&table);
        assert!(!lines.is_empty());
        assert!(lines.iter().all(|line| line.contains("software")), "{lines:?}");
    }
    let rows = table::rows(&shown);
    assert!(
        rows.iter()
            .all(|row| row.device.software == row.device.id.starts_with("vulkan"))
    );
}

#[test]
fn a_summary_that_lies_changes_nothing() {
    let statement = sample::small();
    let mut lying = statement.clone();
    for record in &mut lying.predicate.measured.records {
        let timing = record.timing.as_mut().expect("a complete record");
        timing.summary.median_ps = 1;
        timing.summary.low_ps = 1;
        timing.summary.high_ps = 1;
    }
    assert_eq!(
        table::csv(&[sample::shown(&statement)]),
        table::csv(&[sample::shown(&lying)])
    );
}

#[test]
fn a_record_of_an_unlisted_device_has_no_row_and_no_records_make_an_empty_table() {
    let mut statement = sample::small();
    statement.predicate.measured.records[0].device = 9;
    assert_eq!(table::rows(&[sample::shown(&statement)]).len(), 15);
    statement.predicate.measured.records.clear();
    let shown = [sample::shown(&statement)];
    assert_eq!(table::csv(&shown).lines().count(), 1);
    assert_eq!(
        text::table(
            &shown,
            Terminal {
                width: 80,
                colour: false
            }
        ),
        ""
    );
}

#[test]
fn each_workload_is_counted_in_the_unit_it_deserves() {
    let statement = sample::statement();
    let shown = [sample::shown(&statement)];
    for row in table::rows(&shown) {
        let unit = row
            .figures
            .expect("a complete record")
            .throughput
            .expect("work")
            .unit
            .shown();
        let expected = match row.workload.as_str() {
            "gemm.f32.v1" | "gemm.f32.exact.v1" | "gemm.f16.v1" => "GFLOP/s",
            "gemm.i8.v1" => "TOP/s",
            _ => "GB/s",
        };
        assert_eq!(unit, expected, "{} {:?}", row.workload, row.size == Size::Small);
    }
}

/// A small RFC 4180 reader.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (true, '"') if chars.peek() == Some(&'"') => field.push(chars.next().expect("peeked")),
            (_, '"') => quoted = !quoted,
            (false, ',') => record.push(std::mem::take(&mut field)),
            (false, '\r') => {}
            (false, '\n') => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            (_, other) => field.push(other),
        }
    }
    records
}

#[test]
fn energy_is_for_a_unit_of_work_and_has_no_column_where_nothing_counts_it() {
    let mut statement = sample::small();
    for format in [table::markdown, table::csv, reports::page::html] {
        assert!(!format(&[sample::shown(&statement)]).contains("mJ/G"));
    }
    let timing = statement.predicate.measured.records[0].timing.as_mut();
    let timing = timing.expect("a complete record");
    let launches = timing.samples_ns.len() as u64 * timing.launches_per_sample;
    // 2 nanojoules for each byte, to the millijoule.
    timing.energy_millijoules = Some(timing.work.bytes.0 * launches * 2 / 1_000_000);
    let shown = [sample::shown(&statement)];
    for text in [
        table::markdown(&shown),
        text::table(
            &shown,
            Terminal {
                width: UNLIMITED,
                colour: false,
            },
        ),
    ] {
        assert!(
            text.contains("energy") && (text.contains("2,000 mJ/GB") || text.contains("1,999 mJ/GB")),
            "{text}"
        );
    }
    let value: serde_json::Value = serde_json::from_str(&table::json(&shown)).expect("JSON");
    let femtojoules = value["rows"][0]["figures"]["energyFemtojoulesPerUnit"].as_u64();
    assert!(
        femtojoules.is_some_and(|fj| (1_999_000..=2_000_000).contains(&fj)),
        "{femtojoules:?}"
    );
}

#[test]
fn throttled_samples_modes_and_sessions_are_shown() {
    let mut statement = sample::small();
    let measured = &mut statement.predicate.measured;
    let records = measured.records.len() as u64;
    measured.sessions = [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z", records - 1),
        ("2026-01-02T03:06:00Z", "2026-01-02T03:06:11Z", 1),
    ]
    .map(|(started, finished, records)| Session {
        started_at: started.to_owned(),
        finished_at: finished.to_owned(),
        records,
    })
    .into();
    let record = &mut measured.records[0];
    record.caveats = vec![Caveat::Throttled];
    let timing = record.timing.as_mut().expect("a complete record");
    let samples = timing.samples_ns.len() as u64;
    timing.mode = Mode::Sustained;
    timing.throttle = Some(vec![
        Stretch {
            samples: samples - 3,
            throttled: false,
        },
        Stretch {
            samples: 3,
            throttled: true,
        },
    ]);
    let shown = [sample::shown(&statement)];
    let terminal = Terminal {
        width: UNLIMITED,
        colour: false,
    };
    let text = text::table(&shown, terminal);
    assert!(
        text.contains(&format!(
            "complete; sustained; throttled in 3 of {samples} samples"
        )),
        "{text}"
    );
    assert!(text.contains("Resumed: measured in 2 sessions"), "{text}");
    assert!(table::markdown(&shown).contains("in 2 sessions"));
    assert!(reports::page::html(&shown).contains("in 2 sessions"));
    let value: serde_json::Value = serde_json::from_str(&table::json(&shown)).expect("JSON");
    assert_eq!(value["rows"][0]["throttledSamples"], 3);
    assert_eq!(value["rows"][0]["mode"], "sustained");
    assert_eq!(value["attestations"][0]["sessions"][1]["records"], 1);
}
