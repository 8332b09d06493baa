//! A program in the processor's memory.

use std::ops::Range;
use std::time::Instant;

use super::super::extents::Extents;
use super::super::{DeviceError, Elapsed, Running};
use super::{Cpu, system};
use crate::aligned::Buffer;
use crate::program::Program;
use crate::workload::CPU;

pub(super) struct Resident<'a> {
    cpu: &'a Cpu,
    program: &'a Program,
    extents: Extents,
    inputs: Vec<Buffer>,
    /// Outputs, then scratch.
    written: Vec<Buffer>,
}

impl<'a> Resident<'a> {
    pub(super) fn new(cpu: &'a Cpu, program: &'a Program) -> Result<Self, DeviceError> {
        let phases = program.phases(CPU);
        let wanted = program.footprint(&phases, 1);
        let limit = system::available_bytes().unwrap_or(u64::MAX);
        if wanted > limit {
            return Err(DeviceError::OutOfMemory {
                device: cpu.facts.id.clone(),
                wanted,
                limit,
            });
        }
        let buffers = |sizes: &[u64]| -> Result<Vec<Buffer>, DeviceError> {
            sizes.iter().map(|bytes| cpu.buffer(*bytes as usize)).collect()
        };
        let mut written = buffers(&program.outputs)?;
        written.extend(buffers(&phases.scratch)?);
        Ok(Self {
            cpu,
            program,
            extents: Extents::of_program(&cpu.facts.id, program),
            inputs: buffers(&program.inputs)?,
            written,
        })
    }
}

impl Running for Resident<'_> {
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.extents.expect_input(input, bytes.len())?;
        self.inputs[input].bytes_mut().copy_from_slice(bytes);
        Ok(())
    }

    fn run(&mut self, phase: usize) -> Result<Elapsed, DeviceError> {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Buffer::bytes).collect();
        let mut outputs: Vec<&mut [u8]> = self.written.iter_mut().map(Buffer::bytes_mut).collect();
        let program = self.program;
        Ok(self.cpu.pool.install(|| {
            let began = Instant::now();
            program.run(phase, &inputs, &mut outputs);
            Elapsed::by_host(began)
        }))
    }

    fn read(&mut self, output: usize, range: Range<usize>) -> Result<Vec<u8>, DeviceError> {
        let range = self.extents.range(output, 0, range.start as u64, range.len())?;
        Ok(self.written[output].bytes()[range].to_vec())
    }
}
