//! The table as RFC 4180 CSV.

use attest::statement::{Count, Quality};

use super::{Row, rows};
use crate::figures::Figures;
use crate::plain::csv as field;
use crate::{Shown, Throughput, Unit, words};

/// Header of the CSV. Columns are only ever added at the end.
pub const CSV_COLUMNS: [&str; 36] = [
    "attestation",
    "device_index",
    "device_id",
    "api",
    "kind",
    "software",
    "device",
    "workload",
    "spec_digest",
    "case",
    "size",
    "dims",
    "path",
    "cache",
    "seed",
    "status",
    "reason",
    "evidence",
    "caveats",
    "samples",
    "launches_per_sample",
    "time_ps",
    "time_ps_low",
    "time_ps_high",
    "throughput",
    "throughput_low",
    "throughput_high",
    "throughput_unit",
    "energy_microjoules",
    "relative_rms_ppb",
    "worst_of_allowed_ppb",
    "output_sha256",
    "checked_elements",
    "mode",
    "throttled_samples",
    "energy_femtojoules_per_unit",
];

/// All records, one line each, CRLF after every line.
pub fn csv(shown: &[Shown<'_>]) -> String {
    let mut out = CSV_COLUMNS.join(",") + "\r\n";
    for row in rows(shown) {
        let fields = [what(&row).to_vec(), measured(&row).to_vec()].concat();
        let line: Vec<String> = fields.iter().map(|text| field(text)).collect();
        out += &line.join(",");
        out += "\r\n";
    }
    out
}

fn what(row: &Row) -> [String; 19] {
    let caveats: Vec<&str> = row.caveats.iter().map(|&caveat| words::caveat(caveat)).collect();
    [
        row.attestation.to_string(),
        row.device.index.to_string(),
        row.device.id.clone(),
        row.device.api.as_str().to_owned(),
        words::kind(row.device.kind).to_owned(),
        row.device.software.to_string(),
        row.device.name.clone(),
        row.workload.clone(),
        row.spec_digest.to_string(),
        row.case.clone(),
        words::size(row.size).to_owned(),
        words::dims(&row.dims),
        row.path.as_str().to_owned(),
        row.cache.map(words::cache).unwrap_or_default().to_owned(),
        row.seed.to_string(),
        words::status(row.status).to_owned(),
        row.reason
            .clone()
            .or_else(|| row.no_figures.clone())
            .unwrap_or_default(),
        words::evidence(row.evidence).to_owned(),
        caveats.join(" "),
    ]
}

fn measured(row: &Row) -> [String; 17] {
    let figure = |of: fn(&Figures) -> u64| row.figures.as_ref().map(of);
    let rate = row.figures.as_ref().and_then(|figures| figures.throughput);
    let per_second = |of: fn(&Throughput) -> Count| rate.as_ref().map(|rate| of(rate).0);
    let (rms, worst, output, checked) = match &row.quality {
        Some(Quality::Exact {
            output_sha256,
            checked,
            ..
        }) => (None, None, Some(output_sha256), Some(*checked)),
        Some(Quality::Float {
            output_sha256,
            checked,
            relative_rms_ppb,
            worst_of_allowed_ppb,
            ..
        }) => (
            Some(*relative_rms_ppb),
            Some(*worst_of_allowed_ppb),
            Some(output_sha256),
            Some(*checked),
        ),
        None => (None, None, None, None),
    };
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        number(figure(|f| f.samples)),
        number(figure(|f| f.launches_per_sample)),
        number(figure(|f| f.time_ps.median.0)),
        number(figure(|f| f.time_ps.low.0)),
        number(figure(|f| f.time_ps.high.0)),
        number(per_second(|rate| rate.per_second.median)),
        number(per_second(|rate| rate.per_second.low)),
        number(per_second(|rate| rate.per_second.high)),
        rate.map(|rate| unit(rate.unit)).unwrap_or_default().to_owned(),
        number(
            row.figures
                .as_ref()
                .and_then(|figures| figures.energy_microjoules),
        ),
        number(rms),
        number(worst),
        output.map(ToString::to_string).unwrap_or_default(),
        number(checked),
        row.mode.map(words::mode).unwrap_or_default().to_owned(),
        number(row.throttled_samples),
        number(
            row.figures
                .as_ref()
                .and_then(|figures| figures.energy_femtojoules_per_unit)
                .map(|energy| energy.0),
        ),
    ]
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Flop => "FLOP/s",
        Unit::Op => "OP/s",
        Unit::Byte => "B/s",
        Unit::Token => "mtoken/s",
    }
}
