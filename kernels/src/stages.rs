//! Composites: workloads that are other workloads one after the other, on parts of their buffers.
//!
//! A stage names what runs, its sizes, and the buffers that it takes. On a GPU its launches become launches of the composite;
//! on the processor its function is called. What runs at one stage cannot differ from what its own records measure.

use attest::spec::Dims;

use crate::workload::{CPU, CpuKernel, Launch, Plan, Slot, Target, Whole, Workload};

/// What runs at a stage: a workload, or a step too small to be one.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    pub(crate) plan: fn(&Dims, Target) -> Plan,
    pub(crate) cpu: CpuKernel,
    pub(crate) limits: Option<fn(&Dims) -> Option<String>>,
}

impl Op {
    pub(crate) fn of(workload: &Workload) -> Self {
        Self {
            plan: workload.plan,
            cpu: workload.cpu,
            limits: workload.limits,
        }
    }
}

/// One step of a composite. No output may overlap another buffer of the stage, and all outputs are of different buffers.
pub(crate) struct Stage {
    pub(crate) op: Op,
    pub(crate) dims: Dims,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) outputs: Vec<Slot>,
}

/// The plan of all stages. `scratch` are the composite's own buffers; behind them stand those that stages need, which share
/// theirs because they run one after the other.
pub(crate) fn plan(stages: &[Stage], scratch: &[u64], target: Target) -> Plan {
    let mut whole = Plan {
        scratch: scratch.to_vec(),
        launches: vec![],
    };
    for stage in stages {
        let plan = (stage.op.plan)(&stage.dims, target);
        for (index, bytes) in plan.scratch.into_iter().enumerate() {
            let at = scratch.len() + index;
            match whole.scratch.get_mut(at) {
                Some(shared) => *shared = bytes.max(*shared),
                None => whole.scratch.push(bytes),
            }
        }
        let placed = plan.launches.into_iter().map(|launch| Launch {
            buffers: { launch.buffers.iter() }
                .map(|&slot| stage.place(slot, scratch.len()))
                .collect(),
            ..launch
        });
        whole.launches.extend(placed);
    }
    whole
}

impl Stage {
    pub(crate) fn new(op: Op, sizes: &[(&str, usize)], inputs: &[Slot], outputs: &[Slot]) -> Self {
        Self {
            op,
            dims: { sizes.iter() }
                .map(|&(name, size)| (name.to_owned(), size as u64))
                .collect(),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        }
    }

    /// A workload with one output.
    pub(crate) fn of(workload: &Workload, sizes: &[(&str, usize)], inputs: &[Slot], output: Slot) -> Self {
        Self::new(Op::of(workload), sizes, inputs, &[output])
    }

    /// Why no device runs it.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.op.limits.and_then(|limits| limits(&self.dims))
    }

    /// A buffer of the stage as one of the composite.
    fn place(&self, slot: Slot, own_scratch: usize) -> Slot {
        let (whole, offset, bytes) = slot.stretch();
        let placed = match whole {
            Whole::Input(index) => self.inputs[index],
            Whole::Output(index) => self.outputs[index],
            Whole::Scratch(index) => Slot::Scratch(own_scratch + index),
        };
        match bytes {
            Some(bytes) => placed.part(offset, bytes),
            None => placed,
        }
    }

    fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], count: usize, own_scratch: usize) {
        let shared = (self.op.plan)(&self.dims, CPU).scratch;
        let shared = { 0.. }
            .zip(shared)
            .map(|(index, bytes)| Slot::Scratch(own_scratch + index).part(0, bytes));
        let written: Vec<Slot> = self.outputs.iter().copied().chain(shared).collect();
        // What is written leaves the composite's buffers for as long as the stage runs.
        let mut taken: Vec<(usize, &mut [u8])> = Vec::with_capacity(written.len());
        for slot in &written {
            let at = place_of(*slot, count);
            taken.push((at, std::mem::take(&mut outputs[at])));
        }
        let read = self.inputs.iter().map(|&slot| match slot.stretch() {
            (Whole::Input(index), offset, bytes) => part(inputs[index], offset, bytes),
            (_, offset, bytes) => part(outputs[place_of(slot, count)], offset, bytes),
        });
        let read: Vec<&[u8]> = read.collect();
        let mut write: Vec<&mut [u8]> = { written.iter().zip(&mut taken) }
            .map(|(slot, (_, buffer))| {
                let (_, offset, bytes) = slot.stretch();
                let end = end(buffer.len(), offset, bytes);
                &mut buffer[offset as usize..end]
            })
            .collect();
        (self.op.cpu)(&self.dims, &read, &mut write);
        for (at, buffer) in taken {
            outputs[at] = buffer;
        }
    }
}

/// All stages on the processor. `outputs` are the composite's `count` outputs and then the scratch of its plan, of which the
/// first `own_scratch` are its own.
pub(crate) fn run(
    stages: &[Stage],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    count: usize,
    own_scratch: usize,
) {
    for stage in stages {
        stage.run(inputs, outputs, count, own_scratch);
    }
}

/// Index of an output or a scratch buffer among both.
fn place_of(slot: Slot, outputs: usize) -> usize {
    match slot.stretch().0 {
        Whole::Input(index) => panic!("input {index} is written"),
        Whole::Output(index) => index,
        Whole::Scratch(index) => outputs + index,
    }
}

fn part(buffer: &[u8], offset: u64, bytes: Option<u64>) -> &[u8] {
    &buffer[offset as usize..end(buffer.len(), offset, bytes)]
}

fn end(len: usize, offset: u64, bytes: Option<u64>) -> usize {
    bytes.map_or(len, |bytes| (offset + bytes) as usize)
}
