//! `nvbench --json`: benchmarks with a state for each combination of their axes. What is read is the mean time on the
//! card with cold caches, `nv/cold/time/gpu/mean`, in seconds.

use std::collections::BTreeMap;

use reports::imported::Figure;
use serde_json::Value;

use super::{Found, Node, Odd};

const MEAN: &str = "nv/cold/time/gpu/mean";
const DEVIATION: &str = "nv/cold/time/gpu/stdev/relative";
const SAMPLES: &str = "nv/cold/sample_size";

pub(super) fn read(file: &Value) -> Result<Found, Odd> {
    let root = Node::root(file);
    let mut devices = BTreeMap::new();
    for device in root.wanted("devices")?.items()? {
        let name = device.wanted("name")?.text()?;
        devices.insert(device.wanted("id")?.whole()?, name);
    }
    let mut figures = Vec::new();
    for benchmark in root.wanted("benchmarks")?.items()? {
        for state in benchmark.wanted("states")?.items()? {
            let skipped = state.member("is_skipped").map(|skipped| skipped.value);
            if skipped == Some(&Value::Bool(true)) {
                continue;
            }
            figures.push(figure(&benchmark, &state, &devices)?);
        }
    }
    if figures.is_empty() {
        return Err(root.odd("has no state that ran"));
    }
    Ok(Found {
        version: version(&root),
        measured_at: None,
        figures,
    })
}

/// Absent in files of versions before 2022.
fn version(root: &Node<'_>) -> Option<String> {
    let version = root.member("meta")?.member("version")?.member("nvbench")?;
    Some(version.member("string")?.text().ok()?.to_owned())
}

fn figure(benchmark: &Node<'_>, state: &Node<'_>, devices: &BTreeMap<u64, &str>) -> Result<Figure, Odd> {
    let id = state.wanted("device")?;
    let device = devices
        .get(&id.whole()?)
        .ok_or_else(|| id.odd("is not one of the file's devices"))?;
    let mean =
        summary(state, MEAN)?.ok_or_else(|| state.odd(format!("has no summary {MEAN:?} with a value")))?;
    let relative = summary(state, DEVIATION)?;
    Ok(Figure {
        device: (*device).to_owned(),
        name: benchmark.wanted("name")?.text()?.to_owned(),
        case: case(state)?,
        statistic: "mean".to_owned(),
        value: mean * 1e6,
        unit: "µs".to_owned(),
        deviation: relative.map(|relative| relative * mean * 1e6),
        samples: summary(state, SAMPLES)?.map(|samples| samples as u64),
    })
}

/// The `value` of a summary; versions write numbers or their text.
fn summary(state: &Node<'_>, tag: &str) -> Result<Option<f64>, Odd> {
    for summary in state.wanted("summaries")?.items()? {
        if summary.member("tag").map(|tag| tag.value.as_str()) != Some(Some(tag)) {
            continue;
        }
        for entry in summary.wanted("data")?.items()? {
            if entry.wanted("name")?.text()? == "value" {
                return Ok(Some(entry.wanted("value")?.number()?));
            }
        }
    }
    Ok(None)
}

/// `Elements=1048576 T=F32`; empty for a benchmark without axes.
fn case(state: &Node<'_>) -> Result<String, Odd> {
    let Some(axes) = state.member("axis_values") else {
        return Ok(String::new());
    };
    let mut values = Vec::new();
    for axis in axes.items()? {
        let value = axis.wanted("value")?;
        let value = value
            .value
            .as_str()
            .map_or_else(|| value.value.to_string(), str::to_owned);
        values.push(format!("{}={value}", axis.wanted("name")?.text()?));
    }
    Ok(values.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const FIXTURE: &str = include_str!("../../testdata/nvbench.json");

    #[test]
    fn cold_times_are_read_and_skipped_states_are_not() {
        let found = read(&file(FIXTURE)).expect("a sound file");
        assert_eq!(found.figures.len(), 2, "{found:?}");
        let first = &found.figures[0];
        assert_eq!(
            (first.name.as_str(), first.case.as_str(), first.unit.as_str()),
            ("copy", "T=F32 Elements=16777216", "µs")
        );
        assert!((first.value - 163.84).abs() < 1e-9, "{first:?}");
        assert!(
            first.deviation.is_some_and(|d| (d - 1.6384).abs() < 1e-9),
            "{first:?}"
        );
        assert_eq!(first.samples, Some(3052));
        assert_eq!(first.device, "NVIDIA H100 80GB HBM3");
        // The other version writes numbers as numbers.
        assert!((found.figures[1].value - 327.0).abs() < 1e-9);
    }

    #[test]
    fn a_state_of_no_device_or_without_time_is_named() {
        for (from, to, words) in [
            (
                "\"device\": 0",
                "\"device\": 3",
                ".benchmarks[0].states[0].device",
            ),
            (MEAN, "nv/other", "nv/cold/time/gpu/mean"),
            ("\"value\": \"0.00016384\"", "\"value\": \"nan\"", "is no number"),
        ] {
            let odd = read(&file(&FIXTURE.replacen(from, to, 1))).expect_err(words);
            assert!(odd.to_string().contains(words), "{odd}");
        }
    }
}
