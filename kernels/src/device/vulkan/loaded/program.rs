//! A program on a Vulkan device: its phases stand where a case has its sets, over buffers that they share.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::Arc;

use vulkano::buffer::Subbuffer;

use super::super::super::extents::Extents;
use super::super::super::{DeviceError, Elapsed, Running};
use super::super::context::Context;
use super::super::limits;
use super::{LoadedCase, Memory, StepBuilder, Stopwatch, Work};
use crate::program::{Phases, Program};
use crate::workload::{Kind, Target};

/// Buffers between stages, which only launches refer to.
type Scratch = Vec<Subbuffer<[u32]>>;

/// What of a [`LoadedCase`] a program needs.
pub(in super::super) struct LoadedProgram(LoadedCase);

impl LoadedProgram {
    pub(in super::super) fn new(
        context: Arc<Context>,
        target: Target,
        program: &Program,
    ) -> Result<Self, DeviceError> {
        let phases = program.phases(target);
        if let Some(reason) = limits::program_refusal(&context, program, &phases) {
            return Err(context.failure("loading", reason));
        }
        let (work, scratch) = Work::of_program(&context, program, &phases)?;
        let written = [&work.outputs[0][..], &scratch].concat();
        let mut case = LoadedCase {
            extents: Extents::of_program(&context.id, program),
            context,
            work: ManuallyDrop::new(work),
            hung: false,
        };
        case.with(|work| work.memory.fill(&written, 0))?;
        Ok(Self(case))
    }
}

impl Work {
    /// The work, and the scratch that its steps refer to.
    fn of_program(
        context: &Arc<Context>,
        program: &Program,
        phases: &Phases,
    ) -> Result<(Self, Scratch), DeviceError> {
        let memory = Memory::new(Arc::clone(context));
        let tensors = |sizes: &[u64]| {
            let tensors = sizes.iter().map(|bytes| memory.tensor(*bytes));
            tensors.collect::<Result<Vec<_>, _>>()
        };
        let inputs = tensors(&program.inputs)?;
        let outputs = tensors(&program.outputs)?;
        let scratch = tensors(&phases.scratch)?;
        let steps = { phases.launches.iter() }
            .map(|launches| StepBuilder::new(context, launches)?.steps(&inputs, &outputs, &scratch))
            .collect::<Result<Vec<_>, _>>()?;
        let work = Self {
            batches: HashMap::new(),
            recorded: 0,
            stopwatch: Stopwatch::new(Arc::clone(context))?,
            sets: steps,
            next_set: 0,
            kind: Kind::Kernels,
            inputs: vec![inputs],
            outputs: vec![outputs],
            output_bytes: program.outputs.iter().map(|bytes| *bytes as usize).collect(),
            memory,
        };
        Ok((work, scratch))
    }
}

impl Running for LoadedProgram {
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.0.extents.expect_input(input, bytes.len())?;
        self.0.with(|work| work.upload(input, bytes))
    }

    fn run(&mut self, phase: usize) -> Result<Elapsed, DeviceError> {
        self.0.with(|work| {
            work.next_set = phase as u64;
            work.batch(1)
        })
    }

    fn read(&mut self, output: usize, range: Range<usize>) -> Result<Vec<u8>, DeviceError> {
        let range = self.0.extents.range(output, 0, range.start as u64, range.len())?;
        self.0
            .with(|work| work.memory.download(&work.outputs[0][output], range))
    }
}
