//! `--benchmark_format=json`: runs of named benchmarks on the processor. Where runs were repeated, the tool's own median
//! stands for them, or else its mean; single runs stand for themselves.

use std::collections::BTreeMap;

use reports::imported::Figure;
use serde_json::Value;

use super::{Found, Node, Odd};

pub(super) fn read(file: &Value) -> Result<Found, Odd> {
    let root = Node::root(file);
    let context = root.wanted("context")?;
    let cpus = context.wanted("num_cpus")?.whole()?;
    let mhz = context.wanted("mhz_per_cpu")?.whole()?;
    let device = format!("processor, {cpus} x {mhz} MHz");
    let mut groups: BTreeMap<(usize, String), Group<'_>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for run in root.wanted("benchmarks")?.items()? {
        let name = run.member("run_name").map_or_else(|| run.wanted("name"), Ok)?;
        let name = name.text()?.to_owned();
        let at = order.iter().position(|known| *known == name).unwrap_or_else(|| {
            order.push(name.clone());
            order.len() - 1
        });
        groups.entry((at, name)).or_default().add(run)?;
    }
    let mut figures = Vec::new();
    for ((_, name), group) in &groups {
        if let Some(figure) = group.figure(name, &device)? {
            figures.push(figure);
        }
    }
    if figures.is_empty() {
        return Err(root.odd("has no benchmark that ran"));
    }
    let text = |name: &str| {
        context
            .member(name)
            .and_then(|member| member.text().ok().map(str::to_owned))
    };
    Ok(Found {
        version: text("library_version"),
        measured_at: text("date"),
        figures,
    })
}

/// Runs of one name.
#[derive(Default)]
struct Group<'a> {
    runs: Vec<Node<'a>>,
    aggregates: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Group<'a> {
    fn add(&mut self, run: Node<'a>) -> Result<(), Odd> {
        let failed = |name: &str| {
            let member = run.member(name);
            member.is_some_and(|failed| failed.value == &Value::Bool(true))
        };
        if failed("error_occurred") || failed("skipped") {
            return Ok(());
        }
        match run.member("aggregate_name") {
            Some(name) => {
                self.aggregates.insert(name.text()?, run.clone());
            }
            None => self.runs.push(run),
        }
        Ok(())
    }

    /// `None` when every run failed, or it holds only fits of complexity.
    fn figure(&self, name: &str, device: &str) -> Result<Option<Figure>, Odd> {
        let named = |name| self.aggregates.get(name).map(|run| (name, run));
        let single = self.runs.first().map(|run| ("one run", run));
        let Some((statistic, run)) = named("median").or_else(|| named("mean")).or(single) else {
            return Ok(None);
        };
        let (value, unit) = time(run)?;
        let deviation = self.aggregates.get("stddev").map(time).transpose()?;
        let repetitions = run.member("repetitions").map(|count| count.whole()).transpose()?;
        let samples = repetitions.filter(|count| *count > 0);
        let (name, case) = name.split_once('/').unwrap_or((name, ""));
        Ok(Some(Figure {
            device: device.to_owned(),
            name: name.to_owned(),
            case: case.to_owned(),
            statistic: statistic.to_owned(),
            value,
            unit: unit.to_owned(),
            deviation: deviation
                .filter(|(_, of)| *of == unit)
                .map(|(deviation, _)| deviation),
            samples: samples.or(Some(self.runs.len() as u64)),
        }))
    }
}

/// Time of one iteration by the wall's clock.
fn time<'a>(run: &Node<'a>) -> Result<(f64, &'a str), Odd> {
    let value = run.wanted("real_time")?.number()?;
    let unit = run.wanted("time_unit")?;
    match unit.text()? {
        known @ ("ns" | "us" | "ms" | "s") => Ok((value, known)),
        other => Err(unit.odd(format!("is {other:?}, not ns, us, ms or s"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const FIXTURE: &str = include_str!("../../testdata/google-benchmark.json");

    #[test]
    fn medians_stand_for_repetitions_and_failures_for_nothing() {
        let found = read(&file(FIXTURE)).expect("a sound file");
        let read: Vec<(&str, &str, &str, f64)> = found
            .figures
            .iter()
            .map(|figure| {
                (
                    figure.name.as_str(),
                    figure.case.as_str(),
                    figure.statistic.as_str(),
                    figure.value,
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                ("BM_Copy", "4194304", "median", 402.5),
                ("BM_SetInsert", "1024/8", "one run", 32065.0),
            ]
        );
        assert_eq!(
            (found.figures[0].deviation, found.figures[0].samples),
            (Some(2.5), Some(3))
        );
        assert_eq!(found.measured_at.as_deref(), Some("2024-11-20T10:15:30+00:00"));
    }

    #[test]
    fn an_unknown_unit_and_a_missing_time_are_named() {
        for (from, to, words) in [
            (
                "\"time_unit\": \"us\"",
                "\"time_unit\": \"fortnights\"",
                "fortnights",
            ),
            (
                "\"num_cpus\": 8",
                "\"num_cpus\": \"8\"",
                ".context.num_cpus is no whole",
            ),
            (
                "\"real_time\": 3.2065e+04",
                "\"real_time\": null",
                "has no \"real_time\"",
            ),
        ] {
            let text = FIXTURE.replace(from, to);
            assert_ne!(text, FIXTURE, "{from}");
            let odd = read(&file(&text)).expect_err(words);
            assert!(odd.to_string().contains(words), "{odd}");
        }
    }
}
