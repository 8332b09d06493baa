//! A program on a CUDA device: its phases stand where a case has its sets, the first of which has all buffers.

use std::ops::Range;

use cudarc::driver::CudaFunction;

use super::super::super::extents::Extents;
use super::super::super::{Device as _, DeviceError, Elapsed, Running};
use super::super::card::Card;
use super::{Case, Set, WORD, allow_shared, bound, round_trips};
use crate::program::Program;
use crate::workload::{Kind, Launch};

/// What of a [`Case`] a program needs.
pub(in super::super) struct LoadedProgram<'card>(Case<'card>);

impl<'card> LoadedProgram<'card> {
    pub(in super::super) fn new(card: &'card Card, program: &Program) -> Result<Self, DeviceError> {
        let phases = program.phases(card.target());
        let (wanted, limit) = (program.footprint(&phases, WORD), card.usable_bytes());
        if wanted > limit {
            return Err(DeviceError::OutOfMemory {
                device: card.facts().id.clone(),
                wanted,
                limit,
            });
        }
        let functions = { phases.launches.iter() }
            .map(|launches| functions(card, launches))
            .collect::<Result<Vec<_>, _>>()?;
        let mut case = Case {
            card,
            opened: card.opened()?,
            sets: vec![],
            extents: Extents::of_program(&card.facts().id, program),
            next: 0,
            output_bytes: vec![],
            kind: Kind::Kernels,
            scratch: vec![],
            library: None,
        };
        let zeroed = |bytes: &u64| {
            let mut buffer = case.buffer(*bytes, wanted, false)?;
            card.call("clearing memory", || buffer.fill(&case.opened.stream, 0))?;
            Ok(buffer)
        };
        let buffers = |sizes: &[u64]| sizes.iter().map(zeroed).collect::<Result<Vec<_>, DeviceError>>();
        let (inputs, outputs) = (buffers(&program.inputs)?, buffers(&program.outputs)?);
        let scratch = buffers(&phases.scratch)?;
        let steps = card.call("preparing launches", || {
            let phases = phases.launches.iter().zip(&functions);
            phases
                .map(|(launches, functions)| {
                    bound(
                        &case.opened.stream,
                        launches,
                        functions,
                        [&inputs, &outputs, &scratch],
                    )
                })
                .collect::<Result<Vec<_>, _>>()
        })?;
        case.scratch = scratch;
        case.sets = { steps.into_iter() }
            .map(|steps| Set {
                inputs: vec![],
                outputs: vec![],
                steps,
            })
            .collect();
        if let Some(first) = case.sets.first_mut() {
            (first.inputs, first.outputs) = (inputs, outputs);
        }
        Ok(Self(case))
    }
}

fn functions(card: &Card, launches: &[Launch]) -> Result<Vec<CudaFunction>, DeviceError> {
    let functions = launches.iter().map(|launch| card.function(launch.kernel));
    let functions = functions.collect::<Result<Vec<_>, _>>()?;
    card.call("asking for shared memory", || {
        let mut pairs = launches.iter().zip(&functions);
        pairs.try_for_each(|(launch, function)| allow_shared(function, launch.shared))
    })?;
    Ok(functions)
}

impl Running for LoadedProgram<'_> {
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        let case = &mut self.0;
        case.extents.expect_input(input, bytes.len())?;
        let buffer = &mut case.sets[0].inputs[input];
        case.card
            .call("writing an input", || buffer.write(&case.opened.stream, bytes))
    }

    fn run(&mut self, phase: usize) -> Result<Elapsed, DeviceError> {
        let case = &self.0;
        case.card.call("running a phase", || {
            round_trips(case.opened, std::iter::once(&case.sets[phase].steps))
        })
    }

    fn read(&mut self, output: usize, range: Range<usize>) -> Result<Vec<u8>, DeviceError> {
        let case = &self.0;
        let range = case.extents.range(output, 0, range.start as u64, range.len())?;
        case.card.call("reading a part of an output", || {
            case.sets[0].outputs[output].read(&case.opened.stream, range)
        })
    }
}
