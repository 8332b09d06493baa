//! A case on a CUDA device: its buffers, its prepared launches, and their timing.

mod program;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{Library, PathClass, Timer, TimerSource};
use cudarc::driver::sys;
use cudarc::driver::{CudaFunction, CudaStream, DriverError};

pub(super) use program::LoadedProgram;

use super::super::extents::Extents;
use super::super::{Device, DeviceError, Elapsed, Loaded, host_timer};
use super::buffer::{Buffer, Copy};
use super::call::{Call, allow_shared};
use super::card::{Card, Opened};
use super::cublaslt::{LibraryError, Workspace};
use super::gate::LEAD;
use super::vendor;
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
    library: Option<Library>,
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
    Library(vendor::Step),
}

impl Step {
    fn queue(&self, opened: &Opened) -> Result<(), LibraryError> {
        match self {
            Self::Call(call) => Ok(call.launch(opened)?),
            Self::Copy(copy) => Ok(copy.queue(&opened.stream)?),
            Self::Library(product) => product.queue(opened),
        }
    }
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
        let plan = card.plan(workload, path, dims);
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
            library: None,
        };
        let wanted = footprint(workload, dims, &plan, input_sets);
        for bytes in &plan.scratch {
            case.scratch.push(case.buffer(*bytes, wanted, false)?);
        }
        for _ in 0..input_sets.max(1) {
            case.add_set(&plan, &functions, inputs, &output_bytes, wanted)?;
        }
        if path == PathClass::Vendor {
            case.hand_to_library(workload, dims)?;
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

    /// Makes the library's product the only step of every set.
    fn hand_to_library(&mut self, workload: &Workload, dims: &Dims) -> Result<(), DeviceError> {
        let opened = self.opened;
        let stream = &opened.stream;
        let addresses = |set: &Set| -> Result<[u64; 3], DriverError> {
            // The library takes our operands the other way round.
            Ok([
                set.inputs[1].address(stream)?,
                set.inputs[0].address(stream)?,
                set.outputs[0].address(stream)?,
            ])
        };
        let mut unsupported = None;
        let made = self.card.call("choosing an algorithm", || {
            let workspace = Workspace {
                address: self.scratch[0].address(stream)?,
                bytes: self.scratch[0].len(),
            };
            let operands = self.sets.iter().map(addresses).collect::<Result<Vec<_>, _>>()?;
            let chosen = vendor::choose(opened, workload.spec, dims, operands[0], workspace);
            let chosen = Rc::new(chosen.inspect_err(|error| {
                if let LibraryError::NoAlgorithm { .. } = error {
                    unsupported = Some(error.to_string());
                }
            })?);
            Ok::<_, LibraryError>((chosen, operands, workspace))
        });
        if let Some(reason) = unsupported {
            let device = self.card.facts().id.clone();
            return Err(DeviceError::Unsupported { device, reason });
        }
        let (chosen, operands, workspace) = made?;
        self.library = Some(chosen.library.clone());
        for (set, operands) in self.sets.iter_mut().zip(operands) {
            let chosen = Rc::clone(&chosen);
            set.steps = vec![Step::Library(vendor::Step {
                chosen,
                operands,
                workspace,
            })];
        }
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
            Ok::<_, LibraryError>(self.opened.stream.synchronize()?)
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

/// Runs steps one launch after the other, each waited for, by the host's clock.
fn round_trips(
    opened: &Opened,
    launches: impl Iterator<Item = impl AsRef<[Step]>>,
) -> Result<Elapsed, LibraryError> {
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

    fn library(&self) -> Option<Library> {
        self.library.clone()
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
