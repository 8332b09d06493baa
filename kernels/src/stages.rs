//! Composites: workloads that are other workloads one after the other, on parts of their buffers.
//!
//! A stage names what runs, its sizes, and the buffers that it takes. On a GPU its launches become launches of the composite;
//! on the processor its function is called. What runs at one stage cannot differ from what its own records measure.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// Stages in their order, and the buffers between them.
pub(crate) struct Sequence {
    stages: Vec<Stage>,
    /// Bytes of the composite's own buffers; behind them stand those that stages need, which share theirs because they run one
    /// after the other.
    pub(crate) scratch: Vec<u64>,
    /// How many the composite has.
    pub(crate) outputs: usize,
    /// What each stage writes on the processor, told when one first runs.
    written: OnceLock<Vec<Vec<Slot>>>,
}

impl Sequence {
    pub(crate) fn new(stages: Vec<Stage>, scratch: Vec<u64>, outputs: usize) -> Self {
        let written = OnceLock::new();
        Self {
            stages,
            scratch,
            outputs,
            written,
        }
    }

    /// Why no device runs one of them.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.stages.iter().find_map(Stage::refusal)
    }

    pub(crate) fn plan(&self, target: Target) -> Plan {
        let own = self.scratch.len();
        let mut whole = Plan {
            scratch: self.scratch.clone(),
            launches: vec![],
        };
        for stage in &self.stages {
            let plan = (stage.op.plan)(&stage.dims, target);
            for (index, bytes) in plan.scratch.into_iter().enumerate() {
                match whole.scratch.get_mut(own + index) {
                    Some(shared) => *shared = bytes.max(*shared),
                    None => whole.scratch.push(bytes),
                }
            }
            let placed = plan.launches.into_iter().map(|launch| Launch {
                buffers: { launch.buffers.iter() }
                    .map(|&slot| stage.place(slot, own))
                    .collect(),
                ..launch
            });
            whole.launches.extend(placed);
        }
        whole
    }

    /// All stages on the processor. `outputs` are the composite's and then the scratch of its plan.
    pub(crate) fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let written = self.written.get_or_init(|| {
            let written = |stage: &Stage| stage.written(self.scratch.len());
            self.stages.iter().map(written).collect()
        });
        for (stage, written) in self.stages.iter().zip(written) {
            stage.run(inputs, outputs, written, self.outputs);
        }
    }
}

/// The sequence of the case that ran last, kept for its next run.
pub(crate) struct Last(Mutex<Option<(Dims, Arc<Sequence>)>>);

impl Last {
    pub(crate) const fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// The one of these sizes.
    pub(crate) fn of(&self, dims: &Dims, sequence: fn(&Dims) -> Sequence) -> Arc<Sequence> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((sizes, sequence)) if sizes == dims => Arc::clone(sequence),
            _ => {
                let sequence = Arc::new(sequence(dims));
                *last = Some((dims.clone(), Arc::clone(&sequence)));
                sequence
            }
        }
    }
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

    /// What it writes on the processor: outputs, then the buffers that it needs.
    fn written(&self, own_scratch: usize) -> Vec<Slot> {
        let shared = (self.op.plan)(&self.dims, CPU).scratch;
        let shared = { 0.. }
            .zip(shared)
            .map(|(index, bytes)| Slot::Scratch(own_scratch + index).part(0, bytes));
        self.outputs.iter().copied().chain(shared).collect()
    }

    /// `outputs` are the composite's `count` outputs and then its scratch.
    fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], written: &[Slot], count: usize) {
        // What is written leaves the composite's buffers for as long as the stage runs.
        let mut taken: Vec<(usize, &mut [u8])> = Vec::with_capacity(written.len());
        for slot in written {
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
