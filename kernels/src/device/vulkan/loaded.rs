//! A case on a Vulkan device: its tensors, its launches, and the batches recorded so far.

mod program;

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Instant;

use attest::spec::Dims;
use attest::statement::Timer;
use vulkano::buffer::Subbuffer;
use vulkano::command_buffer::CommandBuffer;
use vulkano::descriptor_set::allocator::StandardDescriptorSetAllocator;
use vulkano::descriptor_set::{DescriptorSet, WriteDescriptorSet};
use vulkano::pipeline::{ComputePipeline, Pipeline};

pub(super) use program::LoadedProgram;

use super::super::extents::Extents;
use super::super::{DeviceError, Elapsed, Loaded, host_timer};
use super::batch::Stopwatch;
use super::context::{Context, Failure};
use super::limits;
use super::memory::{Memory, padded};
use crate::workload::{Kind, Launch, POISON, Plan, Slot, Whole, Workload};

/// Launches kept in recorded batches before all are thrown away and recorded anew.
const RECORDED_LAUNCHES: u64 = 1 << 16;

/// Bytes of the words that buffers are counted in.
const WORD: u64 = 4;

/// What is done on one set of tensors, ready to record.
pub(super) enum Step {
    Launch(Bound),
    /// From host to device, or back.
    Copy {
        from: Subbuffer<[u32]>,
        to: Subbuffer<[u32]>,
    },
}

/// One kernel launch.
pub(super) struct Bound {
    pub(super) pipeline: Arc<ComputePipeline>,
    pub(super) buffers: Arc<DescriptorSet>,
    pub(super) push: Vec<u32>,
    pub(super) grid: [u32; 3],
}

/// Launches are counted from loading or the last [`poison`](Loaded::poison), over all batches: cold inputs stay cold
/// when a batch is shorter than the rotation.
pub(super) struct LoadedCase {
    context: Arc<Context>,
    extents: Extents,
    /// Never dropped once the device hangs, because it may still use everything in here.
    work: ManuallyDrop<Work>,
    hung: bool,
}

struct Work {
    /// Declared first, so that recorded commands go before what they refer to.
    batches: HashMap<(u64, u64), Vec<CommandBuffer>>,
    recorded: u64,
    stopwatch: Stopwatch,
    /// Steps of one launch, for each set.
    sets: Vec<Vec<Step>>,
    next_set: u64,
    kind: Kind,
    inputs: Vec<Vec<Subbuffer<[u32]>>>,
    outputs: Vec<Vec<Subbuffer<[u32]>>>,
    output_bytes: Vec<usize>,
    memory: Memory,
}

impl LoadedCase {
    pub(super) fn new(
        context: Arc<Context>,
        workload: &Workload,
        plan: &Plan,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Self, DeviceError> {
        let work = Work::new(&context, workload, plan, dims, input_sets.max(1))?;
        let mut case = Self {
            extents: Extents::new(&context.id, workload, dims, inputs, input_sets),
            context,
            work: ManuallyDrop::new(work),
            hung: false,
        };
        for (index, bytes) in inputs.iter().enumerate() {
            case.with(|work| work.upload(index, bytes))?;
        }
        case.with(Work::poison)?;
        Ok(case)
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Work) -> Result<T, Failure>) -> Result<T, DeviceError> {
        if self.hung {
            return Err(self
                .context
                .failure("using a hung device", "an earlier launch never came back"));
        }
        act(&mut self.work).map_err(|failure| match failure {
            Failure::Clean(error) => error,
            Failure::Hang(error) => {
                self.hung = true;
                error
            }
        })
    }
}

impl Drop for LoadedCase {
    #[allow(unsafe_code, reason = "the only way to drop a ManuallyDrop in place")]
    fn drop(&mut self) {
        if !self.hung {
            // SAFETY: dropped once, here, and not used after.
            unsafe { ManuallyDrop::drop(&mut self.work) };
        }
    }
}

impl Loaded for LoadedCase {
    fn timer(&self) -> Timer {
        match self.work.kind {
            Kind::RoundTrip => host_timer(),
            _ => self.context.timer(),
        }
    }

    fn poison(&mut self) -> Result<(), DeviceError> {
        self.with(Work::poison)
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
        self.with(|work| work.run(launches))
    }

    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
        self.with(|work| work.read(set as usize))
    }

    fn read_range(
        &mut self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, DeviceError> {
        let range = self.extents.range(output, set, offset, len)?;
        self.with(|work| work.memory.download(&work.outputs[set as usize][output], range))
    }

    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.extents.expect_input(input, bytes.len())?;
        self.with(|work| work.upload(input, bytes))
    }
}

impl Work {
    fn new(
        context: &Arc<Context>,
        workload: &Workload,
        plan: &Plan,
        dims: &Dims,
        sets: u32,
    ) -> Result<Self, DeviceError> {
        let bytes = limits::tensors(workload, dims).map_err(|reason| context.failure("loading", reason))?;
        let (input_bytes, output_bytes) = bytes.split_at(workload.spec.inputs.len());
        let memory = Memory::new(Arc::clone(context));
        let kind = workload.kind;
        let tensors = |sizes: &[u64], on_host: bool| {
            let tensor = |bytes: &u64| match on_host {
                true => memory.host_tensor(*bytes),
                false => memory.tensor(*bytes),
            };
            sizes.iter().map(tensor).collect::<Result<Vec<_>, _>>()
        };
        let per_set = |sizes: &[u64], on_host: bool| {
            let set = |_| tensors(sizes, on_host);
            (0..sets).map(set).collect::<Result<Vec<_>, _>>()
        };
        let inputs = per_set(input_bytes, kind.host_inputs())?;
        let outputs = per_set(output_bytes, kind.host_outputs())?;
        let scratch = tensors(&plan.scratch, false)?;
        let builder = StepBuilder::new(context, &plan.launches)?;
        let steps = inputs
            .iter()
            .zip(&outputs)
            .map(|(inputs, outputs)| match kind.copies() {
                true => Ok(vec![Step::Copy {
                    from: inputs[0].clone(),
                    to: outputs[0].clone(),
                }]),
                false => builder.steps(inputs, outputs, &scratch),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            batches: HashMap::new(),
            recorded: 0,
            stopwatch: Stopwatch::new(Arc::clone(context))?,
            sets: steps,
            next_set: 0,
            kind,
            inputs,
            outputs,
            output_bytes: output_bytes.iter().map(|bytes| *bytes as usize).collect(),
            memory,
        })
    }

    /// Writes an input of every set.
    fn upload(&mut self, input: usize, bytes: &[u8]) -> Result<(), Failure> {
        let targets: Vec<_> = self.inputs.iter().map(|set| set[input].clone()).collect();
        self.memory.upload(bytes, &targets)
    }

    fn poison(&mut self) -> Result<(), Failure> {
        self.next_set = 0;
        self.memory.fill(&self.outputs.concat(), POISON)
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, Failure> {
        match self.kind {
            Kind::RoundTrip => self.round_trips(launches),
            _ => self.batch(launches),
        }
    }

    /// One submission a launch, each waited for.
    fn round_trips(&mut self, launches: u64) -> Result<Elapsed, Failure> {
        let began = Instant::now();
        for _ in 0..launches {
            self.batch(1)?;
        }
        Ok(Elapsed::by_host(began))
    }

    fn batch(&mut self, launches: u64) -> Result<Elapsed, Failure> {
        let sets = self.sets.len() as u64;
        let key = (launches, self.next_set);
        if !self.batches.contains_key(&key) {
            let batch = self.record(launches)?;
            self.batches.insert(key, batch);
        }
        let elapsed = self.stopwatch.time(&self.batches[&key])?;
        self.next_set = (self.next_set + launches) % sets;
        Ok(elapsed)
    }

    fn record(&mut self, launches: u64) -> Result<Vec<CommandBuffer>, DeviceError> {
        if self.recorded.saturating_add(launches) > RECORDED_LAUNCHES {
            self.batches.clear();
            self.recorded = 0;
        }
        self.recorded += launches;
        let sets = self.sets.len() as u64;
        let steps =
            (self.next_set..self.next_set + launches).flat_map(|launch| &self.sets[(launch % sets) as usize]);
        self.stopwatch.record(steps)
    }

    fn read(&mut self, set: usize) -> Result<Vec<Vec<u8>>, Failure> {
        self.outputs[set % self.outputs.len()]
            .iter()
            .zip(&self.output_bytes)
            .map(|(tensor, bytes)| self.memory.download(tensor, 0..*bytes))
            .collect()
    }
}

/// Pipelines of a plan, and the descriptor sets that bind tensors to them.
struct StepBuilder<'a> {
    context: &'a Context,
    launches: &'a [Launch],
    pipelines: Vec<Arc<ComputePipeline>>,
    descriptors: Arc<StandardDescriptorSetAllocator>,
}

impl<'a> StepBuilder<'a> {
    fn new(context: &'a Context, launches: &'a [Launch]) -> Result<Self, DeviceError> {
        let pipelines = launches
            .iter()
            .map(|launch| context.pipelines.of(context, launch))
            .collect::<Result<_, _>>()?;
        let descriptors =
            StandardDescriptorSetAllocator::new(Arc::clone(&context.device), Default::default());
        Ok(Self {
            context,
            launches,
            pipelines,
            descriptors: Arc::new(descriptors),
        })
    }

    fn steps(
        &self,
        inputs: &[Subbuffer<[u32]>],
        outputs: &[Subbuffer<[u32]>],
        scratch: &[Subbuffer<[u32]>],
    ) -> Result<Vec<Step>, DeviceError> {
        let tensor = |slot: &Slot| {
            let (whole, offset, bytes) = slot.stretch();
            let buffer = match whole {
                Whole::Input(index) => &inputs[index],
                Whole::Output(index) => &outputs[index],
                Whole::Scratch(index) => &scratch[index],
            };
            let end = bytes.map_or(buffer.len(), |bytes| {
                buffer.len().min((offset + padded(bytes)) / WORD)
            });
            buffer.clone().slice(offset / WORD..end)
        };
        let step = |(launch, pipeline): (&Launch, &Arc<ComputePipeline>)| {
            let writes = (0u32..)
                .zip(&launch.buffers)
                .map(|(binding, slot)| WriteDescriptorSet::buffer(binding, tensor(slot)));
            let layout = Arc::clone(&pipeline.layout().set_layouts()[0]);
            let buffers = DescriptorSet::new(Arc::clone(&self.descriptors) as _, layout, writes, [])
                .map_err(|error| self.context.failure("binding tensors", error))?;
            Ok(Step::Launch(Bound {
                pipeline: Arc::clone(pipeline),
                buffers,
                push: launch.push.clone(),
                grid: launch.grid,
            }))
        };
        self.launches.iter().zip(&self.pipelines).map(step).collect()
    }
}
