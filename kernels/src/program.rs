//! Buffers in a device's memory and several ways to run over them, apart from the catalogue: what a network from a file is,
//! whose sizes no specification knows.

use attest::statement::Api;

use crate::stages::{Sequence, Stage};
use crate::workload::{Launch, Target};

/// One set of buffers, and phases of stages that use it in turn. Outputs and scratch keep what one phase left for the next.
pub struct Program {
    /// Bytes of each input, and of each output.
    pub inputs: Vec<u64>,
    pub outputs: Vec<u64>,
    phases: Vec<Sequence>,
}

/// What a device runs of a [`Program`].
pub struct Phases {
    /// Bytes of each buffer between stages, which all phases share.
    pub scratch: Vec<u64>,
    /// Of each phase; none on the processor.
    pub launches: Vec<Vec<Launch>>,
}

impl Program {
    /// `scratch` are buffers of the stages' own; those that workloads want at a stage are added for each device.
    ///
    /// # Errors
    /// Why no device runs a stage, in words.
    pub(crate) fn new(
        inputs: Vec<u64>,
        outputs: Vec<u64>,
        scratch: &[u64],
        phases: Vec<Vec<Stage>>,
    ) -> Result<Self, String> {
        let count = outputs.len();
        let phases: Vec<Sequence> = { phases.into_iter() }
            .map(|stages| Sequence::new(stages, scratch.to_vec(), count))
            .collect();
        match phases.iter().find_map(Sequence::refusal) {
            Some(reason) => Err(reason),
            None => Ok(Self {
                inputs,
                outputs,
                phases,
            }),
        }
    }

    pub fn phases(&self, target: Target) -> Phases {
        let mut all = Phases {
            scratch: vec![],
            launches: vec![],
        };
        for phase in &self.phases {
            let plan = phase.plan(target);
            for (index, bytes) in plan.scratch.into_iter().enumerate() {
                match all.scratch.get_mut(index) {
                    Some(shared) => *shared = bytes.max(*shared),
                    None => all.scratch.push(bytes),
                }
            }
            all.launches.push(match target.api {
                Api::Cpu => vec![],
                _ => plan.launches,
            });
        }
        all
    }

    /// One phase on the processor. `outputs` are the program's and then all its scratch.
    pub(crate) fn run(&self, phase: usize, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        self.phases[phase].run(inputs, outputs);
    }

    /// Bytes of every buffer, each padded to the device's `granule`.
    pub(crate) fn footprint(&self, phases: &Phases, granule: u64) -> u64 {
        let all = self.inputs.iter().chain(&self.outputs).chain(&phases.scratch);
        all.map(|bytes| bytes.max(&1).next_multiple_of(granule)).sum()
    }
}
