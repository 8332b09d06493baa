//! Which rows of an output are compared with the reference.

use std::collections::BTreeSet;
use std::ops::Range;

use attest::digest::Sha256;
use attest::spec::{Dims, FormulaError, Tensor};

use super::Place;
use crate::workload::{VECTOR_ROW, Workload, elements};

/// 0.9^66 < 0.001: so many rows miss an error in a tenth of all rows with probability below 0.1 %.
pub(super) const SAMPLED_ROWS: u64 = 66;

/// References of this many operations are computed whole: under a second on one core.
const CHEAP_FLOP: u64 = 1 << 28;

/// A workload of no more operations an output element costs about as much to check as to digest.
const LINEAR_FLOP: u64 = 8;

/// An output cut into rows.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    elements: u64,
    width: u64,
    vector: bool,
}

impl Rows {
    pub(super) fn of(tensor: &Tensor, dims: &Dims) -> Self {
        let vector = tensor.shape.len() == 1;
        let last = tensor.shape.last().and_then(|name| dims.get(name));
        Self {
            elements: elements(tensor, dims),
            width: if vector {
                VECTOR_ROW
            } else {
                last.copied().unwrap_or(1)
            },
            vector,
        }
    }

    fn count(self) -> u64 {
        self.elements.div_ceil(self.width)
    }

    pub(super) fn elements(self, row: u64) -> Range<usize> {
        let start = row * self.width;
        let end = self.elements.min(start + self.width);
        start as usize..end as usize
    }

    pub(super) fn place(self, element: u64) -> Place {
        if self.vector {
            return Place::Element(element);
        }
        Place::Cell {
            row: element / self.width,
            column: element % self.width,
        }
    }

    pub(super) fn all(self) -> Vec<u64> {
        (0..self.count()).collect()
    }

    /// All rows where that is cheap, otherwise the first, the last and a sample.
    pub(super) fn to_compare(
        self,
        workload: &Workload,
        dims: &Dims,
        seed: &[u8; 32],
    ) -> Result<Vec<u64>, FormulaError> {
        let flop = workload.spec.flop.eval(dims)?;
        let cheap = flop <= CHEAP_FLOP.max(self.elements.saturating_mul(LINEAR_FLOP));
        if cheap || self.count() <= SAMPLED_ROWS + 2 {
            return Ok(self.all());
        }
        Ok(sample(self.count(), seed))
    }
}

/// The first row, the last row and [`SAMPLED_ROWS`] others of `count` rows.
fn sample(count: u64, seed: &[u8; 32]) -> Vec<u64> {
    let mut rows = BTreeSet::from([0, count - 1]);
    let mut draws = 0u64..;
    while (rows.len() as u64) < SAMPLED_ROWS + 2 {
        let draw = draws.next().expect("an endless range");
        let digest = Sha256::of_parts(&[b"hallmark.check.rows.v1\0", seed, &draw.to_le_bytes()]);
        let (head, _) = digest.0.split_first_chunk().expect("32 bytes");
        rows.insert(u64::from_le_bytes(*head) % count);
    }
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_distinct_holds_both_ends_and_follows_the_seed() {
        let (one, other) = (sample(1000, &[1; 32]), sample(1000, &[2; 32]));
        assert_eq!(one.len() as u64, SAMPLED_ROWS + 2);
        assert_eq!((one[0], one[67]), (0, 999));
        assert_ne!(one, other);
        assert_eq!(one, sample(1000, &[1; 32]));
    }

    #[test]
    fn the_last_row_of_a_vector_is_what_remains() {
        let rows = Rows {
            elements: VECTOR_ROW + 3,
            width: VECTOR_ROW,
            vector: true,
        };
        assert_eq!(rows.count(), 2);
        assert_eq!(rows.elements(1), 65_536..65_539);
        assert_eq!(rows.place(65_537), Place::Element(65_537));
    }
}
