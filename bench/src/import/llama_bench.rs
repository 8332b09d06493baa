//! `llama-bench -o json`: a list of results, each a model at one length of prompt and generation.

use reports::imported::Figure;
use serde_json::Value;

use super::{Found, Node, Odd};

pub(super) fn read(file: &Value) -> Result<Found, Odd> {
    let root = Node::root(file);
    let results = root.items()?;
    let Some(first) = results.first() else {
        return Err(root.odd("has no results"));
    };
    let commit = first.wanted("build_commit")?.text()?;
    let number = first.wanted("build_number")?.whole()?;
    let measured_at = first.wanted("test_time")?.text()?.to_owned();
    Ok(Found {
        version: Some(format!("{commit} ({number})")),
        measured_at: Some(measured_at),
        figures: results.iter().map(figure).collect::<Result<_, _>>()?,
    })
}

fn figure(result: &Node<'_>) -> Result<Figure, Odd> {
    let text = |name: &str| result.wanted(name)?.text();
    let backends = text("backends")?;
    // The card is named whatever ran; a run without a back end for it was the processor's.
    let device = match text("gpu_info")? {
        card if !card.is_empty() && backends != "CPU" => card,
        _ => text("cpu_info")?,
    };
    let samples = result.wanted("samples_ts")?.items()?;
    Ok(Figure {
        device: format!("{device} ({backends})"),
        name: text("model_type")?.to_owned(),
        case: case(result)?,
        statistic: "mean".to_owned(),
        value: result.wanted("avg_ts")?.number()?,
        unit: "tokens/s".to_owned(),
        deviation: Some(result.wanted("stddev_ts")?.number()?),
        samples: Some(samples.len() as u64),
    })
}

/// As the tool's own table says it: `pp512`, `tg128`, `pp512+tg128`, `tg128 @ d512`.
fn case(result: &Node<'_>) -> Result<String, Odd> {
    let prompt = result.wanted("n_prompt")?.whole()?;
    let generated = result.wanted("n_gen")?.whole()?;
    let mut case = match (prompt, generated) {
        (0, 0) => return Err(result.odd("has neither prompt nor generated tokens")),
        (prompt, 0) => format!("pp{prompt}"),
        (0, generated) => format!("tg{generated}"),
        (prompt, generated) => format!("pp{prompt}+tg{generated}"),
    };
    // Builds before 2025 tell no depth.
    let depth = result.member("n_depth").map(|depth| depth.whole()).transpose()?;
    if let Some(depth @ 1..) = depth {
        case += &format!(" @ d{depth}");
    }
    Ok(case)
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const FIXTURE: &str = include_str!("../../testdata/llama-bench.json");

    #[test]
    fn rates_are_read_with_their_spread() {
        let found = read(&file(FIXTURE)).expect("a sound file");
        assert_eq!(found.version.as_deref(), Some("0123abcd (6000)"));
        assert_eq!(found.measured_at.as_deref(), Some("2026-01-02T03:04:05Z"));
        let cases: Vec<(&str, f64, Option<u64>)> = found
            .figures
            .iter()
            .map(|figure| (figure.case.as_str(), figure.value, figure.samples))
            .collect();
        assert_eq!(
            cases,
            [("pp512", 6400.5, Some(4)), ("tg128 @ d512", 100.125, Some(4))]
        );
        assert_eq!(found.figures[0].device, "NVIDIA L40S (CUDA)");
    }

    #[test]
    fn what_is_missing_or_odd_is_named_with_its_place() {
        for (from, to, words) in [
            ("\"avg_ts\": 6400.5", "\"avg_ts\": -1", "[0].avg_ts is no number"),
            ("\"avg_ts\": 6400.5,", "", "[0] has no \"avg_ts\""),
            (
                "\"n_prompt\": 512",
                "\"n_prompt\": 0",
                "neither prompt nor generated",
            ),
            (
                "\"model_type\": \"qwen2",
                "\"model_type\": 7, \"was\": \"",
                "[0].model_type is no text",
            ),
        ] {
            let odd = read(&file(&FIXTURE.replacen(from, to, 1))).expect_err(words);
            assert!(odd.to_string().contains(words), "{odd}");
        }
    }
}
