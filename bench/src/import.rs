//! Reading what other tools measured. Their files are strangers' text: whatever is missing or odd is refused in words.
//!
//! | tool | format, as documented by |
//! |---|---|
//! | llama-bench | `-o json`: tools/llama-bench/README.md of llama.cpp, "Output formats" |
//! | nvbench | `--json`: nvbench/json_printer.cu of NVIDIA/nvbench, and the summary tags of its measurements |
//! | google-benchmark | `--benchmark_format=json`: docs/user_guide.md and src/json_reporter.cc of google/benchmark |

mod google_benchmark;
mod llama_bench;
mod nvbench;

use reports::imported::Figure;
use serde_json::Value;

/// What a file holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub version: Option<String>,
    pub measured_at: Option<String>,
    pub figures: Vec<Figure>,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tool {
    LlamaBench,
    Nvbench,
    GoogleBenchmark,
}

impl Tool {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LlamaBench => "llama-bench",
            Self::Nvbench => "nvbench",
            Self::GoogleBenchmark => "google-benchmark",
        }
    }

    /// The figures of a file's JSON.
    pub(crate) fn read(self, file: &Value) -> Result<Found, Odd> {
        match self {
            Self::LlamaBench => llama_bench::read(file),
            Self::Nvbench => nvbench::read(file),
            Self::GoogleBenchmark => google_benchmark::read(file),
        }
    }
}

/// What is odd about a file, and where.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{place} {fault}")]
pub(crate) struct Odd {
    place: String,
    fault: String,
}

impl Odd {
    fn new(place: impl Into<String>, fault: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            fault: fault.into(),
        }
    }
}

/// A JSON value and where it stands in its file.
#[derive(Clone)]
struct Node<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Node<'a> {
    fn root(value: &'a Value) -> Self {
        Self {
            value,
            place: "the file".to_owned(),
        }
    }

    fn odd(&self, fault: impl Into<String>) -> Odd {
        Odd::new(self.place.clone(), fault)
    }

    /// A member; `None` where it is absent or null.
    fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            place: format!("{}.{name}", self.place.trim_start_matches("the file")),
        })
    }

    fn wanted(&self, name: &str) -> Result<Self, Odd> {
        self.member(name)
            .ok_or_else(|| self.odd(format!("has no {name:?}")))
    }

    fn items(&self) -> Result<Vec<Self>, Odd> {
        let items = self.value.as_array().ok_or_else(|| self.odd("is no list"))?;
        let place = self.place.trim_start_matches("the file");
        let node = |(index, value)| Self {
            value,
            place: format!("{place}[{index}]"),
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    fn text(&self) -> Result<&'a str, Odd> {
        self.value.as_str().ok_or_else(|| self.odd("is no text"))
    }

    fn whole(&self) -> Result<u64, Odd> {
        self.value.as_u64().ok_or_else(|| self.odd("is no whole number"))
    }

    /// A finite number of at least 0, also one that is written as text.
    fn number(&self) -> Result<f64, Odd> {
        let number = match self.value {
            Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        };
        number
            .filter(|number: &f64| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| self.odd("is no number of at least 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    pub(super) fn file(text: &str) -> Value {
        serde_json::from_str(text).expect("a fixture")
    }

    #[test]
    fn no_shape_of_json_is_a_crash() {
        let shapes = [
            json!(null),
            json!(7),
            json!("text"),
            json!([]),
            json!({}),
            json!([null]),
            json!([[1]]),
            json!([{}]),
            json!({"benchmarks": 1}),
            json!({"benchmarks": [1]}),
            json!({"benchmarks": [{"states": [{}]}], "devices": []}),
            json!({"context": [], "benchmarks": [{"name": 1}]}),
        ];
        for tool in [Tool::LlamaBench, Tool::Nvbench, Tool::GoogleBenchmark] {
            for shape in &shapes {
                let odd = tool.read(shape).expect_err("no figures in it");
                assert!(!odd.to_string().is_empty(), "{tool:?} {shape}");
            }
        }
    }

    #[test]
    fn each_tool_reads_its_own_fixture_and_no_other() {
        let fixtures = [
            (Tool::LlamaBench, include_str!("../testdata/llama-bench.json")),
            (Tool::Nvbench, include_str!("../testdata/nvbench.json")),
            (
                Tool::GoogleBenchmark,
                include_str!("../testdata/google-benchmark.json"),
            ),
        ];
        for (of, text) in fixtures {
            for tool in [Tool::LlamaBench, Tool::Nvbench, Tool::GoogleBenchmark] {
                assert_eq!(
                    tool.read(&file(text)).is_ok(),
                    tool == of,
                    "{tool:?} reads {of:?}"
                );
            }
        }
    }
}
