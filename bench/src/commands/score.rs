//! `hallmark score`: one number for a run against a named reference, or the reason why there is none.

use std::collections::BTreeMap;
use std::path::Path;

use reports::score::{Weights, score};

use super::compare::paired;
use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::Trusted;
use crate::exit::{Done, Failure, Outcome, fail};
use crate::{answer, files, talk};

pub(super) fn run(args: &cli::Score, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let (reference, run, comparison) = paired(&args.reference, &args.run, &trusted)?;
    let named = match &args.weights {
        None => BTreeMap::new(),
        Some(path) => weights(path)?,
    };
    let specs = &reference.statement().predicate.measured.specs;
    let weights = Weights::new(named, specs).map_err(|error| Failure::new(Outcome::Usage, error))?;
    let found = score(
        &reference.shown(),
        &run.shown(),
        &comparison,
        args.path.into(),
        &weights,
    ).map_err(|reason| {
        Failure::new(Outcome::Inconclusive, reason).hint(
            "a score needs two complete runs of one suite, each record of which compares; hallmark compare shows all reasons",
        )
    })?;
    match args.format {
        Format::Text => answer::print(&reports::score::text(&found, talk::terminal())),
        Format::Json => answer::print(&reports::score::json(&found)),
        other => Err(fail!(Usage, "a score is shown as text or json, not {other:?}")),
    }
}

/// Names and weights of a file, JSON or TOML.
fn weights(path: &Path) -> Done<BTreeMap<String, f64>> {
    let name = path.display();
    let bytes = files::read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| fail!(Usage, "{name} is no text"))?;
    parsed(&text).map_err(|reason| {
        fail!(Usage, "{name}: {reason}").hint(
            "weights are one object of JSON, or TOML: \"gemm.f16.v1\" = 2 for a workload, memory = 0.5 for a group",
        )
    })
}

fn parsed(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let table: serde_json::Value = if text.trim_start().starts_with('{') {
        attest::json::from_slice(text.as_bytes(), text.len()).map_err(|error| error.to_string())?
    } else {
        toml::from_str(text).map_err(|error| error.message().to_owned())?
    };
    let mut weights = BTreeMap::new();
    flatten(String::new(), &table, &mut weights)?;
    Ok(weights)
}

/// TOML reads `gemm.f16.v1 = 2` as tables in tables; their names together are the workload's.
fn flatten(
    name: String,
    value: &serde_json::Value,
    weights: &mut BTreeMap<String, f64>,
) -> Result<(), String> {
    if let Some(members) = value.as_object() {
        for (member, value) in members {
            let inner = if name.is_empty() {
                member.clone()
            } else {
                format!("{name}.{member}")
            };
            flatten(inner, value, weights)?;
        }
        return Ok(());
    }
    let weight = value
        .as_f64()
        .ok_or_else(|| format!("the weight of {name:?} is no number"))?;
    weights.insert(name, weight);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_json_or_toml_quoted_or_not() {
        let want: BTreeMap<String, f64> =
            [("gemm.f16.v1".to_owned(), 2.0), ("memory".to_owned(), 0.5)].into();
        for text in [
            r#" {"gemm.f16.v1": 2, "memory": 0.5}"#,
            "\"gemm.f16.v1\" = 2\nmemory = 0.5\n",
            "gemm.f16.v1 = 2\nmemory = 0.5\n",
        ] {
            assert_eq!(parsed(text), Ok(want.clone()), "{text}");
        }
        assert_eq!(parsed(""), Ok(BTreeMap::new()));
        for refused in [
            "{\"a\": \"2\"}",
            "a = \"2\"",
            "{\"a\": 1, \"a\": 2}",
            "a = [1]",
            "= 2",
            "{",
        ] {
            assert!(parsed(refused).is_err(), "{refused}");
        }
    }
}
