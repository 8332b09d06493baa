//! A program on the shim. Launches of every other run are in descending order of a block's threads.

use std::ops::Range;
use std::time::Instant;

use kernels::device::{DeviceError, Elapsed, Running};
use kernels::program::Program;
use kernels::workload::Launch;

use super::guarded::{Flush, Guarded};
use super::{Case, Set, Shim};

pub(super) struct Resident<'shim> {
    /// A case for each phase, without buffers but the first.
    phases: Vec<Case<'shim>>,
    set: Set,
    runs: usize,
}

impl<'shim> Resident<'shim> {
    pub(super) fn new(shim: &'shim Shim, program: &Program) -> Result<Self, DeviceError> {
        let all = program.phases(shim.target);
        let flush = Flush::End;
        let cleared = |bytes: &u64| {
            let mut buffer = Guarded::new(*bytes as usize, flush);
            buffer.fill(0);
            buffer
        };
        let phase = |launches: Vec<Launch>| {
            Ok(Case {
                libraries: { launches.iter() }
                    .map(|launch| shim.library(launch))
                    .collect::<Result<_, DeviceError>>()?,
                shim,
                sets: vec![],
                launches,
            })
        };
        Ok(Self {
            set: Set {
                flush,
                inputs: { program.inputs.iter() }
                    .map(|bytes| Guarded::input(&vec![0; *bytes as usize], flush))
                    .collect(),
                outputs: program.outputs.iter().map(cleared).collect(),
                scratch: all.scratch.iter().map(cleared).collect(),
            },
            phases: all.launches.into_iter().map(phase).collect::<Result<_, _>>()?,
            runs: 0,
        })
    }
}

impl Running for Resident<'_> {
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.set.inputs[input] = Guarded::input(bytes, self.set.flush);
        Ok(())
    }

    fn run(&mut self, phase: usize) -> Result<Elapsed, DeviceError> {
        let (start, case) = (Instant::now(), &self.phases[phase]);
        self.runs += 1;
        case.launch(&self.set, self.runs.is_multiple_of(2))
            .map_err(case.shim.failed("running a phase"))?;
        let ns = start.elapsed().as_nanos() as u64;
        Ok(Elapsed {
            device_ns: ns,
            host_ns: ns,
        })
    }

    fn read(&mut self, output: usize, range: Range<usize>) -> Result<Vec<u8>, DeviceError> {
        let whole = self.set.outputs[output].dense();
        let whole = whole.map_err(self.phases[0].shim.failed("reading an output"))?;
        Ok(whole[range].to_vec())
    }
}
