//! One output against its reference.

use attest::spec::{Class, Dims, FormulaError, Tensor};
use rayon::prelude::*;

use super::Mismatch;
use super::element::{bits, value};
use super::rows::Rows;
use super::tally::Tally;
use super::unwritten;
use super::wanted::Wanted;
use crate::workload::{Row, Workload, bytes};

/// Allowed |got - want|: `abs + rel * |want|`; both zero for exact workloads.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    abs: f64,
    rel: f64,
}

impl Bound {
    pub(super) fn of(workload: &Workload, output: &Tensor, dims: &Dims) -> Result<Self, FormulaError> {
        const PPT: f64 = 1e-12;
        Ok(match workload.spec.tolerance_of(output) {
            None => Self { abs: 0.0, rel: 0.0 },
            Some(tolerance) => Self {
                abs: tolerance.abs_ppt.eval(dims)? as f64 * PPT,
                rel: tolerance.rel_ppt as f64 * PPT,
            },
        })
    }

    fn allowed(self, want: f64) -> f64 {
        self.abs + self.rel * want.abs()
    }
}

/// An output as one launch left it.
pub(super) struct Output<'a> {
    pub(super) workload: &'a Workload,
    pub(super) dims: &'a Dims,
    pub(super) index: usize,
    pub(super) tensor: &'a Tensor,
    pub(super) bytes: &'a [u8],
    pub(super) rows: Rows,
    pub(super) bound: Bound,
}

impl Output<'_> {
    pub(super) fn expect_size(&self) -> Result<(), Mismatch> {
        let (got, want) = (self.bytes.len() as u64, bytes(self.tensor, self.dims));
        if got == want {
            return Ok(());
        }
        Err(Mismatch::OutputSize {
            workload: self.workload.spec.id.clone(),
            output: self.tensor.name.clone(),
            got,
            want,
        })
    }

    /// No element holds the poison, no float is NaN.
    pub(super) fn expect_written(&self) -> Result<(), Mismatch> {
        match unwritten::first(self.tensor.dtype, self.bytes) {
            None => Ok(()),
            Some(element) => Err(Mismatch::Unwritten {
                workload: self.workload.spec.id.clone(),
                place: self.rows.place(element as u64),
                bits: bits(self.tensor.dtype, self.bytes, element),
            }),
        }
    }

    pub(super) fn compare(&self, wanted: &Wanted, sample_seed: &[u8; 32]) -> Result<Tally, Mismatch> {
        let rows = match wanted.is_whole() {
            true => self.rows.all(),
            false => self.rows.to_compare(self.workload, self.dims, sample_seed)?,
        };
        let tallies: Result<Vec<Tally>, Mismatch> = rows
            .into_par_iter()
            .map(|row| self.compare_row(wanted, row))
            .collect();
        let mut sum = Tally::default();
        // In the order of the rows, so that the figures do not depend on the threads.
        tallies?.into_iter().for_each(|tally| sum.add(tally));
        Ok(sum)
    }

    /// Every byte of an output that follows from those before it.
    pub(super) fn compare_whole(&self, want: &[u8]) -> Result<Tally, Mismatch> {
        assert_eq!(want.len(), self.bytes.len(), "a derived output is whole");
        let unequal = self
            .bytes
            .par_iter()
            .zip(want)
            .position_first(|(got, want)| got != want);
        if let Some(byte) = unequal {
            let dtype = self.tensor.dtype;
            let element = byte * 8 / dtype.bits() as usize;
            return Err(self.mismatch(
                element,
                value(dtype, self.bytes, element),
                value(dtype, want, element),
            ));
        }
        let mut tally = Tally::default();
        tally.equal(want.len() as u64 * 8 / self.tensor.dtype.bits());
        Ok(tally)
    }

    fn compare_row(&self, wanted: &Wanted, index: u64) -> Result<Tally, Mismatch> {
        let row = Row {
            output: self.index,
            index,
        };
        let wanted = wanted.row(self.rows, row);
        let mut tally = Tally::default();
        for (element, &want) in self.rows.elements(index).zip(&*wanted) {
            let got = value(self.tensor.dtype, self.bytes, element);
            let right = match self.workload.spec.class {
                Class::Exact => got.to_bits() == want.to_bits(),
                Class::Float => (got - want).abs() <= self.bound.allowed(want),
            };
            if !right {
                return Err(self.mismatch(element, got, want));
            }
            tally.element(got, want, self.bound.allowed(want));
        }
        Ok(tally)
    }

    fn mismatch(&self, element: usize, got: f64, want: f64) -> Mismatch {
        let workload = self.workload.spec.id.clone();
        let place = self.rows.place(element as u64);
        match self.workload.spec.class {
            Class::Exact => Mismatch::Unequal {
                workload,
                place,
                got,
                want,
            },
            Class::Float => Mismatch::TooFar {
                workload,
                place,
                got,
                want,
                allowed: self.bound.allowed(want),
            },
        }
    }
}
