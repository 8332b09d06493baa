//! Whether the outputs of the timed launches are right.
//!
//! Every element of every output must have been written. Rows are then compared with the reference: all of them where
//! that is cheap, otherwise the first, the last and 66 drawn from a seed, which catch an error in a tenth
//! of the rows with probability 99.9 %.

mod rows;

use attest::digest::Sha256;
use attest::spec::{Class, Dims, Dtype, FormulaError, Tensor};
use attest::statement::Quality;
use rayon::prelude::*;

use crate::workload::{POISON, Row, Workload, bytes, elements};
use rows::Rows;

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

/// Compares `outputs` of one launch with the reference. `sample_seed` chooses the rows of large cases.
pub fn check(
    workload: &Workload,
    dims: &Dims,
    inputs: &[Vec<u8>],
    outputs: &[Vec<u8>],
    sample_seed: &[u8; 32],
) -> Result<Quality, Mismatch> {
    let tensors = &workload.spec.outputs;
    if outputs.len() != tensors.len() {
        return Err(Mismatch::OutputCount {
            workload: workload.spec.id.clone(),
            got: outputs.len(),
            want: tensors.len(),
        });
    }
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut tally = Tally::default();
    for (index, (tensor, bytes)) in tensors.iter().zip(outputs).enumerate() {
        let output = Output {
            workload,
            dims,
            index,
            tensor,
            bytes,
            rows: Rows::of(tensor, dims),
            bound: Bound::of(workload, dims)?,
        };
        output.expect_size()?;
        output.expect_written()?;
        tally.add(output.compare(&inputs, sample_seed)?);
    }
    Ok(tally.quality(workload, dims, outputs))
}

/// Allowed |got - want|: `abs + rel * |want|`; both zero for exact workloads.
#[derive(Clone, Copy)]
struct Bound {
    abs: f64,
    rel: f64,
}

impl Bound {
    fn of(workload: &Workload, dims: &Dims) -> Result<Self, FormulaError> {
        const PPT: f64 = 1e-12;
        Ok(match &workload.spec.tolerance {
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

struct Output<'a> {
    workload: &'a Workload,
    dims: &'a Dims,
    index: usize,
    tensor: &'a Tensor,
    bytes: &'a [u8],
    rows: Rows,
    bound: Bound,
}

impl Output<'_> {
    fn expect_size(&self) -> Result<(), Mismatch> {
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
    fn expect_written(&self) -> Result<(), Mismatch> {
        const STRIP: usize = 1 << 16;
        let size = self.tensor.dtype.size() as usize;
        let unwritten = unwritten_in(self.tensor.dtype);
        let found = self
            .bytes
            .par_chunks(STRIP * size)
            .enumerate()
            .find_map_first(|(strip, bytes)| {
                let within = bytes.chunks_exact(size).position(unwritten)?;
                Some(strip * STRIP + within)
            });
        match found {
            None => Ok(()),
            Some(element) => Err(Mismatch::Unwritten {
                workload: self.workload.spec.id.clone(),
                place: self.rows.place(element as u64),
                bits: bits(&self.bytes[element * size..][..size]),
            }),
        }
    }

    fn compare(&self, inputs: &[&[u8]], sample_seed: &[u8; 32]) -> Result<Tally, Mismatch> {
        let rows = self.rows.to_compare(self.workload, self.dims, sample_seed)?;
        let tallies: Result<Vec<Tally>, Mismatch> = rows
            .into_par_iter()
            .map(|row| self.compare_row(inputs, row))
            .collect();
        let mut sum = Tally::default();
        // In the order of the rows, so that the figures do not depend on the threads.
        tallies?.into_iter().for_each(|tally| sum.add(tally));
        Ok(sum)
    }

    fn compare_row(&self, inputs: &[&[u8]], index: u64) -> Result<Tally, Mismatch> {
        let row = Row {
            output: self.index,
            index,
        };
        let wanted = (self.workload.reference)(self.dims, inputs, row);
        let elements = self.rows.elements(index);
        assert_eq!(
            wanted.len(),
            elements.clone().count(),
            "a reference gives whole rows"
        );
        let mut tally = Tally::default();
        for (element, want) in elements.zip(wanted) {
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

/// What is known after comparing some rows.
#[derive(Clone, Copy, Default)]
struct Tally {
    checked: u64,
    squared_error: f64,
    squared_want: f64,
    worst_of_allowed: f64,
}

impl Tally {
    fn element(&mut self, got: f64, want: f64, allowed: f64) {
        let error = (got - want).abs();
        self.checked += 1;
        self.squared_error += error * error;
        self.squared_want += want * want;
        if error > 0.0 {
            self.worst_of_allowed = self.worst_of_allowed.max(error / allowed);
        }
    }

    fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.squared_error += other.squared_error;
        self.squared_want += other.squared_want;
        self.worst_of_allowed = self.worst_of_allowed.max(other.worst_of_allowed);
    }

    fn quality(self, workload: &Workload, dims: &Dims, outputs: &[Vec<u8>]) -> Quality {
        const BILLION: f64 = 1e9;
        let parts: Vec<&[u8]> = outputs.iter().map(Vec::as_slice).collect();
        let output_sha256 = Sha256::of_parts(&parts);
        let tensors = workload.spec.outputs.iter();
        let elements = tensors.map(|tensor| elements(tensor, dims)).sum();
        let checked = self.checked;
        match workload.spec.class {
            Class::Exact => Quality::Exact {
                output_sha256,
                checked,
                elements,
            },
            Class::Float => Quality::Float {
                output_sha256,
                checked,
                elements,
                relative_rms_ppb: (self.relative_rms() * BILLION).ceil() as u64,
                worst_of_allowed_ppb: (self.worst_of_allowed * BILLION).ceil() as u64,
            },
        }
    }

    fn relative_rms(self) -> f64 {
        if self.squared_error == 0.0 {
            return 0.0;
        }
        (self.squared_error / self.squared_want.max(f64::MIN_POSITIVE)).sqrt()
    }
}

fn bits(element: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..element.len()].copy_from_slice(element);
    u32::from_le_bytes(word)
}

/// Whether an element was left as poison or is NaN. Both halves of the poison are NaN as f16 and bf16; a workload with i8
/// outputs would need another poison, and there is none.
fn unwritten_in(dtype: Dtype) -> fn(&[u8]) -> bool {
    match dtype {
        Dtype::F32 => |element| f32::from_bits(bits(element)).is_nan(),
        Dtype::F16 => |element| half::f16::from_bits(bits(element) as u16).is_nan(),
        Dtype::Bf16 => |element| half::bf16::from_bits(bits(element) as u16).is_nan(),
        Dtype::I32 => |element| bits(element) == POISON,
        Dtype::I8 => |_| unreachable!("no workload has i8 outputs"),
    }
}

fn value(dtype: Dtype, bytes: &[u8], element: usize) -> f64 {
    let size = dtype.size() as usize;
    let bits = bits(&bytes[element * size..][..size]);
    match dtype {
        Dtype::F32 => f64::from(f32::from_bits(bits)),
        Dtype::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Dtype::Bf16 => half::bf16::from_bits(bits as u16).to_f64(),
        Dtype::I32 => f64::from(bits.cast_signed()),
        Dtype::I8 => f64::from((bits as u8).cast_signed()),
    }
}
