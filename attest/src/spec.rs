//! A workload's specification: what is computed, on which inputs, what it costs and how right it must be.
//!
//! A specification is data. Its RFC 8785 bytes have a SHA-256, the *spec digest*; two results compare only when spec
//! digest, case and path class agree. Costs are formulas over the case's dimensions, so a reader recounts them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::jcs::{self, JcsError};

/// Sizes of one case by name: `m`, `n`, `k`; `rows`, `cols`; `n` elements.
pub type Dims = BTreeMap<String, u64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Name and version, never reused: `gemm.f32.v1`.
    pub id: String,
    /// One sentence for people.
    pub title: String,
    pub group: String,
    pub class: Class,
    /// Whether inputs rotate over more memory than the last-level cache holds.
    pub cache: Cache,
    pub cases: Vec<Case>,
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
    /// Arithmetic operations of one launch; multiply and add count as two.
    pub flop: Formula,
    /// Bytes one launch must move at least once: each input read, each output written, and what the definition moves
    /// between them, as a table that is made and read. A transfer counts what crosses once; a round trip, whose time alone
    /// means anything, counts none.
    pub bytes: Formula,
    /// Tokens of a language model that one launch takes in or makes; where there are, they are what speed is counted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Formula>,
    /// What an output may differ from the f64 reference by, unless it has a tolerance of its own; absent for
    /// [`Class::Exact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
}

impl Spec {
    /// What this output may differ from the f64 reference by; `None` where every bit counts.
    pub fn tolerance_of<'a>(&'a self, output: &'a Tensor) -> Option<&'a Tolerance> {
        output.tolerance.as_ref().or(self.tolerance.as_ref())
    }

    /// SHA-256 of the specification's RFC 8785 bytes.
    pub fn digest(&self) -> Result<Sha256, JcsError> {
        jcs::to_vec(self).map(|bytes| Sha256::of(&bytes))
    }

    /// Elements of all outputs together, for one case.
    pub fn output_elements(&self, dims: &Dims) -> Result<u64, FormulaError> {
        let elements = |tensor: &Tensor| match tensor.shape.join("*") {
            shape if shape.is_empty() => Ok(1),
            shape => Formula(shape).eval(dims),
        };
        self.outputs.iter().try_fold(0u64, |sum, tensor| {
            sum.checked_add(elements(tensor)?)
                .ok_or_else(|| FormulaError::Overflow {
                    formula: tensor.shape.join("*"),
                })
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Output bytes are equal on every device.
    Exact,
    /// Output is compared with an f64 reference; the error is reported as quality.
    Float,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cache {
    Cold,
    Hot,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    pub name: String,
    pub size: Size,
    pub dims: Dims,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Size {
    Small,
    Standard,
    Large,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tensor {
    /// Name of the input's random stream, or of the output.
    pub name: String,
    pub dtype: Dtype,
    /// Names of dimensions, outermost first; the layout is row-major and dense.
    pub shape: Vec<String>,
    /// Of an output of another scale than the specification's tolerance is for. Inputs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dtype {
    F32,
    F16,
    Bf16,
    /// Eight-bit floats of the OCP specification: four bits of exponent, three of fraction.
    Fp8E4m3,
    I8,
    I32,
    /// Two elements to a byte, the low nibble first; a nibble stands for its value minus 8: -8 .. 7.
    Q4,
}

impl Dtype {
    /// Bits of one element.
    pub fn bits(self) -> u64 {
        match self {
            Self::F32 | Self::I32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::I8 | Self::Fp8E4m3 => 8,
            Self::Q4 => 4,
        }
    }

    /// Bytes of that many elements, the last one filled up; `None` past 2^64-1 bits.
    pub fn bytes(self, elements: u64) -> Option<u64> {
        Some(elements.checked_mul(self.bits())?.div_ceil(8))
    }
}

/// Allowed |got - want| for each element: `abs + rel * |want|`, both in parts per trillion (10^-12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tolerance {
    pub rel_ppt: u64,
    pub abs_ppt: Formula,
    /// Where the numbers come from, in a sentence.
    pub derivation: String,
}

/// A sum of products over dimensions and integers: `2*m*n*k`, `4*m*k+4*n*k+4*m*n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Formula(pub String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    #[error("formula {formula:?}: {factor:?} is neither a decimal integer nor a dimension of the case")]
    UnknownFactor { formula: String, factor: String },
    #[error("formula {formula:?} exceeds 2^64-1 for this case")]
    Overflow { formula: String },
    #[error("a formula has {bytes} bytes; at most {MAX_FORMULA_BYTES} are evaluated")]
    TooLong { bytes: usize },
}

/// Every record of a statement evaluates its formulas, so their length bounds the work a hostile statement makes.
pub const MAX_FORMULA_BYTES: usize = 512;

impl Formula {
    /// Value for one case.
    pub fn eval(&self, dims: &Dims) -> Result<u64, FormulaError> {
        if self.0.len() > MAX_FORMULA_BYTES {
            return Err(FormulaError::TooLong { bytes: self.0.len() });
        }
        let overflow = || FormulaError::Overflow {
            formula: self.0.clone(),
        };
        self.0.split('+').try_fold(0u64, |sum, term| {
            let product = term.split('*').try_fold(1u64, |product, factor| {
                product
                    .checked_mul(self.factor(factor.trim(), dims)?)
                    .ok_or_else(overflow)
            })?;
            sum.checked_add(product).ok_or_else(overflow)
        })
    }

    fn factor(&self, factor: &str, dims: &Dims) -> Result<u64, FormulaError> {
        let digits = !factor.is_empty() && factor.bytes().all(|b| b.is_ascii_digit());
        let value = if digits {
            factor.parse().ok()
        } else {
            dims.get(factor).copied()
        };
        value.ok_or_else(|| FormulaError::UnknownFactor {
            formula: self.0.clone(),
            factor: factor.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims() -> Dims {
        [("m", 3), ("n", 5), ("k", 7)]
            .map(|(name, size)| (name.to_owned(), size))
            .into()
    }

    #[test]
    fn sums_of_products_are_counted() {
        assert_eq!(Formula("2*m*n*k".into()).eval(&dims()), Ok(210));
        assert_eq!(
            Formula("4*m*k + 4*n*k + 4*m*n".into()).eval(&dims()),
            Ok(84 + 140 + 60)
        );
    }

    #[test]
    fn nibbles_fill_bytes_and_other_elements_take_whole_ones() {
        let bytes = |dtype: Dtype, elements| dtype.bytes(elements);
        assert_eq!(
            [0, 1, 2, 33].map(|n| bytes(Dtype::Q4, n)),
            [0, 1, 1, 17].map(Some)
        );
        assert_eq!(
            [Dtype::F32, Dtype::Bf16, Dtype::I8].map(|dtype| bytes(dtype, 3)),
            [12, 6, 3].map(Some)
        );
        assert_eq!(bytes(Dtype::Q4, u64::MAX), None);
    }

    #[test]
    fn an_unknown_dimension_and_an_overflow_are_named() {
        let unknown = Formula("2*q".into())
            .eval(&dims())
            .expect_err("q is no dimension");
        assert_eq!(
            unknown.to_string(),
            "formula \"2*q\": \"q\" is neither a decimal integer nor a dimension of the case"
        );
        assert!(matches!(
            Formula("18446744073709551615*m".into()).eval(&dims()),
            Err(FormulaError::Overflow { .. })
        ));
        assert!(Formula(String::new()).eval(&dims()).is_err());
        assert!(Formula("-1".into()).eval(&dims()).is_err());
    }
}
