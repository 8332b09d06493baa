//! Figures that other tools measured, for reading beside ours.
//!
//! They are what a file says: nobody signed them, no sample was checked, no output was compared. So they have a file format
//! of their own, stand in a section of their own, and neither compare with records nor become part of a statement.

mod render;

use attest::digest::Sha256;
use attest::statement::Evidence;
use serde::{Deserialize, Serialize};

pub use render::{html, markdown, text};

/// `format` of a file of imported figures.
pub const IMPORTED_FORMAT: &str = "urn:hallmark:imported:v1";

/// Figures of one file of another tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    pub format: String,
    pub origin: Origin,
    /// Always `claimed`.
    pub evidence: Evidence,
    pub figures: Vec<Figure>,
}

/// Where figures come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// `llama-bench`, `nvbench` or `google-benchmark`.
    pub tool: String,
    /// Name of the file that was read, and its SHA-256.
    pub file: String,
    pub sha256: Sha256,
    /// What the file says of the tool's build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it says it was measured, in its own writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<String>,
}

/// One figure as the tool states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// The device as the tool calls it.
    pub device: String,
    pub name: String,
    pub case: String,
    /// What `value` is: `mean`, `median`, `one run`.
    pub statistic: String,
    pub value: f64,
    pub unit: String,
    /// Standard deviation in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Repetitions behind it, where the tool tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
}

/// Why a file of imported figures is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ImportedError {
    #[error("its format is {found:?}, not {IMPORTED_FORMAT:?}")]
    Format { found: String },
    #[error("imported figures are claimed; {level:?} cannot be imported")]
    Evidence { level: Evidence },
    #[error("{count} figures; from 1 to {MAX_FIGURES} are read")]
    Count { count: usize },
    #[error("figure {index} ({name}) is {value}, not a number of at least 0")]
    Value { index: usize, name: String, value: f64 },
}

/// Enough for any benchmark suite; a page shows them all.
const MAX_FIGURES: usize = 10_000;

impl Imported {
    /// Checked figures of one file.
    pub fn new(origin: Origin, figures: Vec<Figure>) -> Result<Self, ImportedError> {
        let imported = Self {
            format: IMPORTED_FORMAT.to_owned(),
            origin,
            evidence: Evidence::Claimed,
            figures,
        };
        imported.check()?;
        Ok(imported)
    }

    /// Whether a file that was read is one of these.
    pub fn check(&self) -> Result<(), ImportedError> {
        if self.format != IMPORTED_FORMAT {
            return Err(ImportedError::Format {
                found: self.format.clone(),
            });
        }
        if self.evidence != Evidence::Claimed {
            return Err(ImportedError::Evidence { level: self.evidence });
        }
        let count = self.figures.len();
        if count == 0 || count > MAX_FIGURES {
            return Err(ImportedError::Count { count });
        }
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        let wrong = |figure: &Figure| !sound(figure.value) || !figure.deviation.is_none_or(sound);
        match self.figures.iter().enumerate().find(|(_, figure)| wrong(figure)) {
            Some((index, figure)) => Err(ImportedError::Value {
                index,
                name: figure.name.clone(),
                value: figure.value,
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Terminal, UNLIMITED};

    fn figure(value: f64) -> Figure {
        Figure {
            device: "NVIDIA GeForce RTX 4080".to_owned(),
            name: "qwen2 7B | <b>Q4_K</b>".to_owned(),
            case: "pp512".to_owned(),
            statistic: "mean".to_owned(),
            value,
            unit: "tokens/s".to_owned(),
            deviation: Some(140.3),
            samples: Some(5),
        }
    }

    fn origin() -> Origin {
        Origin {
            tool: "llama-bench".to_owned(),
            file: "bench.json".to_owned(),
            sha256: Sha256::of(b"bench"),
            version: Some("8cf427ff (5163)".to_owned()),
            measured_at: None,
        }
    }

    #[test]
    fn figures_are_claimed_numbers() {
        let sound = Imported::new(origin(), vec![figure(7_100.0)]).expect("a number");
        assert_eq!(sound.check(), Ok(()));
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Imported::new(origin(), vec![figure(value)]).is_err(), "{value}");
        }
        assert_eq!(
            Imported::new(origin(), Vec::new()),
            Err(ImportedError::Count { count: 0 })
        );
        let proud = Imported {
            evidence: Evidence::Timed,
            ..sound
        };
        assert_eq!(
            proud.check(),
            Err(ImportedError::Evidence {
                level: Evidence::Timed
            })
        );
    }

    #[test]
    fn every_format_says_whose_word_it_is_and_acts_on_no_text() {
        let imported = [Imported::new(origin(), vec![figure(7_100.002)]).expect("a number")];
        let terminal = Terminal {
            width: UNLIMITED,
            colour: false,
        };
        for shown in [text(&imported, terminal), markdown(&imported), html(&imported)] {
            for word in ["llama-bench", "claimed", "7,100", "140", "tokens/s", "8cf427ff"] {
                assert!(shown.contains(word), "{word} is not in {shown}");
            }
        }
        assert!(html(&imported).contains("&lt;b&gt;") && !html(&imported).contains("<b>Q4"));
        assert!(markdown(&imported).contains("\\|"));
        assert_eq!(html(&[]) + &markdown(&[]) + &text(&[], terminal), "");
    }
}
