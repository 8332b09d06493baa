//! Whether the outputs of the timed launches are right.
//!
//! Every element of every output must have been written. Rows are then compared with the reference: all of them where
//! that is cheap, otherwise the first, the last and 66 drawn from a seed, which catch an error in a tenth
//! of the rows with probability 99.9 %.

mod rows;
mod tally;

use attest::spec::{Class, Dims, Dtype, FormulaError, Tensor};
use attest::statement::Quality;
use rayon::prelude::*;

use crate::workload::{POISON, Row, Workload, bytes};
use rows::Rows;
use tally::Tally;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find;
    use crate::inputs;
    use crate::specify::dims_of;

    const SEED: [u8; 32] = [3; 32];

    /// A case with right outputs.
    struct Sound {
        workload: &'static Workload,
        dims: Dims,
        inputs: Vec<Vec<u8>>,
        outputs: Vec<Vec<u8>>,
    }

    impl Sound {
        fn new(id: &str, dims: &[(&str, u64)]) -> Self {
            let workload = find(id).expect("in the catalogue");
            let dims = dims_of(dims);
            let inputs = inputs::generate(workload.spec, &dims, &SEED);
            let mut outputs: Vec<Vec<u8>> = workload
                .spec
                .outputs
                .iter()
                .map(|tensor| vec![0; bytes(tensor, &dims) as usize])
                .collect();
            let sources: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let mut targets: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            (workload.cpu)(&dims, &sources, &mut targets);
            Self {
                workload,
                dims,
                inputs,
                outputs,
            }
        }

        fn check(&self) -> Result<Quality, Mismatch> {
            check(self.workload, &self.dims, &self.inputs, &self.outputs, &SEED)
        }

        /// The message for outputs with `element` overwritten.
        fn refusal(&mut self, element: &[u8], index: usize) -> String {
            let place = index * element.len();
            self.outputs[0][place..place + element.len()].copy_from_slice(element);
            self.check().expect_err("a wrong output").to_string()
        }
    }

    #[test]
    fn one_bit_of_an_exact_output_is_a_mismatch_that_names_its_place() {
        let mut sound = Sound::new("gemm.i8.v1", &[("m", 5), ("n", 7), ("k", 1)]);
        sound.check().expect("right outputs");
        let right = value(Dtype::I32, &sound.outputs[0], 23) as i32;
        assert_eq!(
            sound.refusal(&(right ^ 1).to_le_bytes(), 23),
            format!(
                "gemm.i8.v1 differs from the reference at row 3, column 2: got {}, want {right}, no error allowed",
                right ^ 1
            )
        );
    }

    #[test]
    fn the_sign_of_an_exact_zero_counts() {
        let mut sound = Sound::new("mem.copy.v1", &[("n", 4)]);
        sound.inputs[0].fill(0);
        sound.outputs[0].fill(0);
        sound.check().expect("zeros");
        assert_eq!(
            sound.refusal(&(-0.0f32).to_le_bytes(), 3),
            "mem.copy.v1 differs from the reference at element 3: got -0, want 0, no error allowed"
        );
    }

    #[test]
    fn an_error_past_the_tolerance_is_a_mismatch_and_one_within_is_quality() {
        let mut sound = Sound::new("softmax.f32.v1", &[("rows", 3), ("cols", 8)]);
        let Ok(Quality::Float {
            checked,
            worst_of_allowed_ppb,
            ..
        }) = sound.check()
        else {
            panic!("right outputs of a float workload");
        };
        assert_eq!(checked, 24);
        assert!(worst_of_allowed_ppb < 100_000_000);

        let right = value(Dtype::F32, &sound.outputs[0], 10) as f32;
        let within = right * (1.0 + 3e-5);
        sound.outputs[0][40..44].copy_from_slice(&within.to_le_bytes());
        let Ok(Quality::Float {
            worst_of_allowed_ppb, ..
        }) = sound.check()
        else {
            panic!("an error within the tolerance");
        };
        assert!((700_000_000..=1_000_000_000).contains(&worst_of_allowed_ppb));

        let message = sound.refusal(&(right * (1.0 + 5e-5)).to_le_bytes(), 10);
        assert!(
            message.starts_with("softmax.f32.v1 differs from the reference at row 1, column 2: got "),
            "{message}"
        );
    }

    #[test]
    fn poison_and_nan_anywhere_are_found_outside_the_sampled_rows_too() {
        let mut sound = Sound::new("gemm.f32.v1", &[("m", 2048), ("n", 512), ("k", 256)]);
        let Ok(Quality::Float {
            checked, elements, ..
        }) = sound.check()
        else {
            panic!("right outputs");
        };
        assert_eq!((checked, elements), (68 * 512, 2048 * 512));
        let whole = sound.outputs.clone();
        for row in [1, 2, 3] {
            let message = sound.refusal(&POISON.to_le_bytes(), row * 512 + 5);
            assert_eq!(
                message,
                format!(
                    "gemm.f32.v1 never wrote row {row}, column 5, or wrote NaN there: the element holds 0x7ffd7ffe"
                )
            );
            sound.outputs.clone_from(&whole);
        }
    }

    #[test]
    fn each_half_of_the_poison_is_found_in_f16_and_the_word_in_i32() {
        for half in [POISON as u16, (POISON >> 16) as u16] {
            let mut sound = Sound::new("rmsnorm.f16.v1", &[("rows", 2), ("cols", 3)]);
            let message = sound.refusal(&half.to_le_bytes(), 5);
            assert!(message.contains("never wrote row 1, column 2"), "{message}");
        }
        let mut sound = Sound::new("gemm.i8.v1", &[("m", 2), ("n", 2), ("k", 3)]);
        let message = sound.refusal(&POISON.to_le_bytes(), 0);
        assert!(message.contains("never wrote row 0, column 0"), "{message}");
    }

    #[test]
    fn a_short_or_a_missing_output_is_a_mismatch() {
        let mut sound = Sound::new("mem.copy.v1", &[("n", 4)]);
        sound.outputs[0].pop();
        assert_eq!(
            sound.check().expect_err("short").to_string(),
            "mem.copy.v1: output y has 15 bytes, want 16"
        );
        sound.outputs.clear();
        assert_eq!(
            sound.check().expect_err("none").to_string(),
            "mem.copy.v1 gave 0 outputs, want 1"
        );
    }
}
