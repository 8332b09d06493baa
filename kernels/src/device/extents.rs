//! Sizes of a loaded case's tensors, against which partial reads and writes are checked.

use std::ops::Range;

use attest::spec::Dims;

use super::DeviceError;
use crate::program::Program;
use crate::workload::{Workload, bytes};

/// Dense bytes of each tensor of one set.
pub(crate) struct Extents {
    device: String,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
    sets: u32,
}

impl Extents {
    pub(crate) fn new(device: &str, workload: &Workload, dims: &Dims, inputs: &[Vec<u8>], sets: u32) -> Self {
        let outputs = workload.spec.outputs.iter();
        Self {
            device: device.to_owned(),
            inputs: inputs.iter().map(|bytes| bytes.len() as u64).collect(),
            outputs: outputs.map(|tensor| bytes(tensor, dims)).collect(),
            sets: sets.max(1),
        }
    }

    pub(crate) fn of_program(device: &str, program: &Program) -> Self {
        Self {
            device: device.to_owned(),
            inputs: program.inputs.clone(),
            outputs: program.outputs.clone(),
            sets: 1,
        }
    }

    /// `got` bytes are exactly an input.
    pub(crate) fn expect_input(&self, input: usize, got: usize) -> Result<(), DeviceError> {
        match self.inputs.get(input) {
            Some(want) if *want == got as u64 => Ok(()),
            Some(want) => Err(self.outside(format!("input {input} takes {want} bytes, {got} were given"))),
            None => Err(self.outside(format!("there are {} inputs, none is {input}", self.inputs.len()))),
        }
    }

    /// The part of an output as a range of bytes of this process.
    pub(crate) fn range(
        &self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Range<usize>, DeviceError> {
        if set >= self.sets {
            return Err(self.outside(format!("there are {} sets, none is {set}", self.sets)));
        }
        let Some(bytes) = self.outputs.get(output) else {
            let outputs = self.outputs.len();
            return Err(self.outside(format!("there are {outputs} outputs, none is {output}")));
        };
        match offset.checked_add(len as u64) {
            Some(end) if end <= *bytes => Ok(offset as usize..end as usize),
            _ => Err(self.outside(format!(
                "{len} bytes at {offset} end outside output {output} of {bytes} bytes"
            ))),
        }
    }

    fn outside(&self, reason: String) -> DeviceError {
        DeviceError::Outside {
            device: self.device.clone(),
            reason,
        }
    }
}
