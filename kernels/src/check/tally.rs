//! What comparing some rows found, and what it says about the whole output.

use attest::digest::Sha256;
use attest::spec::{Class, Dims};
use attest::statement::Quality;

use crate::workload::{Workload, elements};

/// What is known after comparing some rows.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    checked: u64,
    squared_error: f64,
    squared_want: f64,
    worst_of_allowed: f64,
}

impl Tally {
    pub(super) fn element(&mut self, got: f64, want: f64, allowed: f64) {
        let error = (got - want).abs();
        self.checked += 1;
        self.squared_error += error * error;
        self.squared_want += want * want;
        if error > 0.0 {
            self.worst_of_allowed = self.worst_of_allowed.max(error / allowed);
        }
    }

    /// So many elements that were compared bit for bit.
    pub(super) fn equal(&mut self, elements: u64) {
        self.checked += elements;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.squared_error += other.squared_error;
        self.squared_want += other.squared_want;
        self.worst_of_allowed = self.worst_of_allowed.max(other.worst_of_allowed);
    }

    pub(super) fn quality(self, workload: &Workload, dims: &Dims, outputs: &[Vec<u8>]) -> Quality {
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
