//! What is wrong with outputs, and where.

use attest::spec::FormulaError;

/// Why outputs are wrong, at the first wrong element of the rows compared.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    #[error("{workload} gave {got} outputs, want {want}")]
    OutputCount {
        workload: String,
        got: usize,
        want: usize,
    },
    #[error("{workload}: output {output} has {got} bytes, want {want}")]
    OutputSize {
        workload: String,
        output: String,
        got: u64,
        want: u64,
    },
    #[error("{workload} never wrote {place}, or wrote NaN there: the element holds {bits:#x}")]
    Unwritten {
        workload: String,
        place: Place,
        bits: u32,
    },
    #[error("{workload} differs from the reference at {place}: got {got}, want {want}, no error allowed")]
    Unequal {
        workload: String,
        place: Place,
        got: f64,
        want: f64,
    },
    #[error(
        "{workload} differs from the reference at {place}: got {got}, want {want}, allowed {allowed:.1e}"
    )]
    TooFar {
        workload: String,
        place: Place,
        got: f64,
        want: f64,
        allowed: f64,
    },
    #[error(transparent)]
    Formula(#[from] FormulaError),
}

/// An element of an output as people look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Element(u64),
    Cell { row: u64, column: u64 },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Element(index) => write!(f, "element {index}"),
            Self::Cell { row, column } => write!(f, "row {row}, column {column}"),
        }
    }
}
