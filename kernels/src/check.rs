//! Whether the outputs of the timed launches are right.
//!
//! Every element of every output must have been written. Rows are then compared with the reference: all of them where
//! it is cheap or computes every output at once, otherwise the first, the last and 66 drawn from a seed, which catch an
//! error in a tenth of the rows with probability 99.9 %. An output that follows from those before it is computed from them and compared whole.

mod element;
mod mismatch;
mod output;
mod rows;
mod tally;
mod unwritten;
mod wanted;

use attest::spec::Dims;
use attest::statement::Quality;

use crate::workload::Workload;
use output::{Bound, Output};
use rows::Rows;
use tally::Tally;
use wanted::Wanted;

pub use mismatch::{Mismatch, Place};

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
    let wanted = Wanted::of(workload, dims, &inputs);
    let mut tally = Tally::default();
    for (index, (tensor, bytes)) in tensors.iter().zip(outputs).enumerate() {
        let output = Output {
            workload,
            dims,
            index,
            tensor,
            bytes,
            rows: Rows::of(tensor, dims),
            bound: Bound::of(workload, tensor, dims)?,
        };
        output.expect_size()?;
        output.expect_written()?;
        let derived = workload.derived.and_then(|derive| derive(dims, index, outputs));
        tally.add(match derived {
            Some(want) => output.compare_whole(&want)?,
            None => output.compare(&wanted, sample_seed)?,
        });
    }
    Ok(tally.quality(workload, dims, outputs))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use attest::spec::{Dtype, Spec, Tolerance};

    use super::element::value;
    use super::*;
    use crate::catalogue::find;
    use crate::inputs;
    use crate::specify::dims_of;
    use crate::workload::{POISON, bytes};

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
            let inputs = inputs::generate(workload, &dims, &SEED);
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
    fn an_output_with_a_tolerance_of_its_own_is_held_to_it() {
        static NARROW: LazyLock<Spec> = LazyLock::new(|| {
            let mut spec = (**find("softmax.f32.v1").expect("in the catalogue").spec).clone();
            let own = spec.tolerance.clone().map(|tolerance| Tolerance {
                rel_ppt: tolerance.rel_ppt / 4,
                ..tolerance
            });
            spec.outputs[0].tolerance = own;
            spec
        });
        let mut sound = Sound::new("softmax.f32.v1", &[("rows", 3), ("cols", 8)]);
        let right = value(Dtype::F32, &sound.outputs[0], 10) as f32;
        let within = right * (1.0 + 3e-5);
        sound.outputs[0][40..44].copy_from_slice(&within.to_le_bytes());
        sound.check().expect("within the tolerance of the specification");
        let narrow = Workload {
            spec: &NARROW,
            ..*sound.workload
        };
        let refused = check(&narrow, &sound.dims, &sound.inputs, &sound.outputs, &SEED);
        assert!(matches!(refused, Err(Mismatch::TooFar { .. })));
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
    fn an_output_that_follows_from_others_is_compared_whole() {
        fn copied(_: &Dims, output: usize, outputs: &[Vec<u8>]) -> Option<Vec<u8>> {
            (output == 1).then(|| outputs[0].clone())
        }
        let copy = find("mem.copy.v1").expect("in the catalogue");
        static TWO: LazyLock<Spec> = LazyLock::new(|| {
            let mut spec = (**find("mem.copy.v1").expect("in the catalogue").spec).clone();
            spec.outputs.push(spec.outputs[0].clone());
            spec
        });
        let twice = Workload {
            spec: &TWO,
            derived: Some(copied),
            ..*copy
        };
        let n = 4 * crate::workload::VECTOR_ROW;
        let dims = dims_of(&[("n", n)]);
        let inputs = inputs::generate(copy, &dims, &SEED);
        let mut outputs = vec![inputs[0].clone(), inputs[0].clone()];
        let Ok(Quality::Exact {
            checked, elements, ..
        }) = check(&twice, &dims, &inputs, &outputs, &SEED)
        else {
            panic!("right outputs");
        };
        assert_eq!((checked, elements), (2 * n, 2 * n));
        let last = n as usize - 1;
        outputs[1][4 * last] ^= 1;
        let message = check(&twice, &dims, &inputs, &outputs, &SEED)
            .expect_err("wrong")
            .to_string();
        assert!(message.contains(&format!("at element {last}")), "{message}");
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
