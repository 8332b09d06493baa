//! A case on a CUDA device: its buffers, its prepared launches, and their timing.

#![allow(unsafe_code, reason = "kernels take raw device pointers")]

mod program;

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{PathClass, Timer, TimerSource};
use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaFunction, CudaStream, DriverError};

pub(super) use program::LoadedProgram;

use super::super::extents::Extents;
use super::super::{Device, DeviceError, Elapsed, Loaded, host_timer};
use super::buffer::{Buffer, Copy};
use super::card::{Card, Opened};
use super::gate::LEAD;
use crate::workload::{Kind, Launch, POISON, Plan, Slot, Whole, Workload, bytes};

/// Resolution of CUDA events as their documentation gives it: about half a microsecond.
const EVENT_TICK_PS: u64 = 500_000;

/// Buffers are whole 16-byte words: the widest a kernel loads at once.
const WORD: u64 = 16;

pub(super) struct Case<'card> {
    card: &'card Card,
    opened: &'card Opened,
    sets: Vec<Set>,
    extents: Extents,
    /// Counts launches since the last [`Loaded::poison`]: the set of the next one follows from it.
    next: u64,
    output_bytes: Vec<usize>,
    kind: Kind,
    scratch: Vec<Buffer>,
}

/// One set of buffers and the launches that work on it.
struct Set {
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    steps: Vec<Step>,
}

enum Step {
    Call(Call),
    Copy(Copy),
}

impl Step {
    fn queue(&self, opened: &Opened) -> Result<(), DriverError> {
        match self {
            Self::Call(call) => call.launch(opened),
            Self::Copy(copy) => copy.queue(&opened.stream),
        }
    }
}

/// A launch with its arguments in the form the driver takes.
struct Call {
    function: CudaFunction,
    grid: (u32, u32, u32),
    block: (u32, u32, u32),
    shared: u32,
    /// Points into `_values`.
    arguments: Vec<*mut c_void>,
    /// Pointers, then words in the low half: an `unsigned` is read from the same address, the host is little-endian.
    _values: Box<[u64]>,
}

/// Device memory the case takes in all.
pub(super) fn footprint(workload: &Workload, dims: &Dims, plan: &Plan, sets: u32) -> u64 {
    let tensors = workload.spec.inputs.iter().chain(&workload.spec.outputs);
    let one: u64 = tensors.map(|tensor| padded(bytes(tensor, dims))).sum();
    let scratch: u64 = plan.scratch.iter().copied().map(padded).sum();
    one.saturating_mul(u64::from(sets)).saturating_add(scratch)
}

fn padded(bytes: u64) -> u64 {
    bytes.div_ceil(WORD).max(1) * WORD
}

impl<'card> Case<'card> {
    pub(super) fn load(
        card: &'card Card,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Self, DeviceError> {
        let opened = card.opened()?;
        let plan = workload.plan_on(path, dims, card.target());
        let plan = plan.map_err(|reason| card.failed("loading", reason))?;
        let functions = plan.launches.iter().map(|launch| card.function(launch.kernel));
        let functions = functions.collect::<Result<Vec<_>, _>>()?;
        card.call("asking for shared memory", || {
            let mut pairs = plan.launches.iter().zip(&functions);
            pairs.try_for_each(|(launch, function)| allow_shared(function, launch.shared))
        })?;
        let output_bytes: Vec<_> = workload
            .spec
            .outputs
            .iter()
            .map(|tensor| bytes(tensor, dims))
            .collect();
        let mut case = Self {
            card,
            opened,
            sets: vec![],
            extents: Extents::new(&card.facts().id, workload, dims, inputs, input_sets),
            next: 0,
            output_bytes: output_bytes.iter().map(|bytes| *bytes as usize).collect(),
            kind: workload.kind,
            scratch: vec![],
        };
        let wanted = footprint(workload, dims, &plan, input_sets);
        for bytes in &plan.scratch {
            case.scratch.push(case.buffer(*bytes, wanted, false)?);
        }
        for _ in 0..input_sets.max(1) {
            case.add_set(&plan, &functions, inputs, &output_bytes, wanted)?;
        }
        case.first_launch()?;
        Ok(case)
    }

    fn add_set(
        &mut self,
        plan: &Plan,
        functions: &[CudaFunction],
        inputs: &[Vec<u8>],
        output_bytes: &[u64],
        wanted: u64,
    ) -> Result<(), DeviceError> {
        let mut uploaded = vec![];
        for input in inputs {
            let mut buffer = self.buffer(input.len() as u64, wanted, self.kind.host_inputs())?;
            let stream = &self.opened.stream;
            self.card.call("uploading an input", || {
                buffer.fill(stream, 0)?;
                buffer.write(stream, input)
            })?;
            uploaded.push(buffer);
        }
        let host = self.kind.host_outputs();
        let outputs = output_bytes.iter().map(|bytes| self.buffer(*bytes, wanted, host));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let steps = self.card.call("preparing launches", || {
            let stream = &self.opened.stream;
            if self.kind.copies() {
                return Ok(vec![Step::Copy(Copy::new(stream, &uploaded[0], &outputs[0])?)]);
            }
            bound(
                stream,
                &plan.launches,
                functions,
                [&uploaded, &outputs, &self.scratch],
            )
        })?;
        self.sets.push(Set {
            inputs: uploaded,
            outputs,
            steps,
        });
        Ok(())
    }

    fn buffer(&self, bytes: u64, wanted: u64, on_host: bool) -> Result<Buffer, DeviceError> {
        let mut full = None;
        let buffer = self.card.call("allocating memory", || {
            let bytes = padded(bytes) as usize;
            if on_host {
                return Buffer::on_host(self.opened, bytes);
            }
            Buffer::on_card(self.opened, bytes).inspect_err(|error| {
                if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                    let free = self.opened.context.mem_get_info();
                    full = Some(free.map_or(0, |(free, _)| free as u64));
                }
            })
        });
        match full {
            Some(limit) => Err(DeviceError::OutOfMemory {
                device: self.card.facts().id.clone(),
                wanted,
                limit,
            }),
            None => buffer,
        }
    }

    /// The driver loads a kernel at its first launch and may wait for the device then, which must not happen behind
    /// a closed gate. A kernel that faults is found here too.
    fn first_launch(&self) -> Result<(), DeviceError> {
        self.card.call("the first launch", || {
            for step in &self.sets[0].steps {
                step.queue(self.opened)?;
            }
            self.opened.stream.synchronize()
        })
    }
}

/// Launches on inputs, outputs and scratch.
fn bound(
    stream: &Arc<CudaStream>,
    launches: &[Launch],
    functions: &[CudaFunction],
    [inputs, outputs, scratch]: [&[Buffer]; 3],
) -> Result<Vec<Step>, DriverError> {
    let address = |slot: &Slot| {
        let (whole, offset, _) = slot.stretch();
        let buffer = match whole {
            Whole::Input(index) => &inputs[index],
            Whole::Output(index) => &outputs[index],
            Whole::Scratch(index) => &scratch[index],
        };
        buffer.address(stream).map(|address| address + offset)
    };
    let call = |(launch, function): (&Launch, &CudaFunction)| {
        let addresses = { launch.buffers.iter() }
            .map(address)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Step::Call(Call::new(launch, function.clone(), addresses)))
    };
    launches.iter().zip(functions).map(call).collect()
}

/// Lets a function have more dynamic shared memory than the 48 KiB that every block may have.
fn allow_shared(function: &CudaFunction, bytes: u32) -> Result<(), DriverError> {
    const EVERYWHERE: u32 = 48 << 10;
    if bytes <= EVERYWHERE {
        return Ok(());
    }
    function.set_attribute(
        sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        bytes.cast_signed(),
    )
}

impl Call {
    fn new(launch: &Launch, function: CudaFunction, addresses: Vec<CUdeviceptr>) -> Self {
        let words = launch.push.iter().copied().map(u64::from);
        let mut values: Box<[u64]> = addresses.into_iter().chain(words).collect();
        let [grid, block] = [launch.grid, launch.block].map(|[x, y, z]| (x, y, z));
        Self {
            function,
            grid,
            block,
            shared: launch.shared,
            arguments: values
                .iter_mut()
                .map(|value| std::ptr::from_mut(value).cast())
                .collect(),
            _values: values,
        }
    }

    fn launch(&self, opened: &Opened) -> Result<(), DriverError> {
        // SAFETY: the plan gives each kernel the buffers and words of its contract; the driver copies the arguments
        // and the buffers outlive the work, because dropping them waits for the stream.
        unsafe {
            sys::cuLaunchKernel(
                self.function.cu_function(),
                self.grid.0,
                self.grid.1,
                self.grid.2,
                self.block.0,
                self.block.1,
                self.block.2,
                self.shared,
                opened.stream.cu_stream(),
                self.arguments.as_ptr().cast_mut(),
                std::ptr::null_mut(),
            )
        }
        .result()
    }
}

/// Runs steps one launch after the other, each waited for, by the host's clock.
fn round_trips(
    opened: &Opened,
    launches: impl Iterator<Item = impl AsRef<[Step]>>,
) -> Result<Elapsed, DriverError> {
    opened.stream.synchronize()?;
    let began = Instant::now();
    for steps in launches {
        steps.as_ref().iter().try_for_each(|step| step.queue(opened))?;
        opened.stream.synchronize()?;
    }
    Ok(Elapsed::by_host(began))
}

impl Loaded for Case<'_> {
    fn timer(&self) -> Timer {
        match self.kind {
            Kind::RoundTrip => host_timer(),
            _ => Timer {
                source: TimerSource::CudaEvent,
                tick_ps: EVENT_TICK_PS,
            },
        }
    }

    fn poison(&mut self) -> Result<(), DeviceError> {
        self.next = 0;
        let (sets, opened) = (&mut self.sets, self.opened);
        self.card.call("poisoning outputs", || {
            opened.context.bind_to_thread()?;
            for output in sets.iter_mut().flat_map(|set| &mut set.outputs) {
                output.fill(&opened.stream, POISON)?;
            }
            opened.stream.synchronize()
        })
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
        if launches == 0 {
            return Ok(Elapsed {
                device_ns: 0,
                host_ns: 0,
            });
        }
        let (first, sets) = (self.next, self.sets.len() as u64);
        let steps = |launch: u64| &self.sets[((first + launch) % sets) as usize].steps;
        let elapsed = self.card.call("running a batch", || match self.kind {
            Kind::RoundTrip => round_trips(self.opened, (0..launches).map(steps)),
            _ => {
                let lead = LEAD / steps(0).len().max(1) as u64;
                self.opened.time(launches, lead, |launch| {
                    steps(launch).iter().try_for_each(|step| step.queue(self.opened))
                })
            }
        })?;
        self.next += launches;
        Ok(elapsed)
    }

    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
        let outputs = &self.sets[set as usize].outputs;
        self.card.call("reading outputs", || {
            let pairs = outputs.iter().zip(&self.output_bytes);
            pairs
                .map(|(output, bytes)| output.read(&self.opened.stream, 0..*bytes))
                .collect()
        })
    }

    fn read_range(
        &mut self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, DeviceError> {
        let range = self.extents.range(output, set, offset, len)?;
        let output = &self.sets[set as usize].outputs[output];
        self.card.call("reading a part of an output", || {
            output.read(&self.opened.stream, range.clone())
        })
    }

    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.extents.expect_input(input, bytes.len())?;
        let (sets, stream) = (&mut self.sets, &self.opened.stream);
        self.card.call("writing an input", || {
            let mut sets = sets.iter_mut();
            sets.try_for_each(|set| set.inputs[input].write(stream, bytes))
        })
    }
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        // A failed wait leaves nothing to do: the driver frees what the context held.
        let _ = self
            .card
            .call("waiting for the last launch", || self.opened.stream.synchronize());
    }
}
