//! A case on a CUDA device: its buffers, its prepared launches, and their timing.

#![allow(unsafe_code, reason = "kernels take raw device pointers")]

use std::ffi::c_void;
use std::sync::Arc;

use attest::spec::Dims;
use attest::statement::{Timer, TimerSource};
use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaFunction, CudaSlice, CudaStream, DevicePtr, DriverError};

use super::super::extents::Extents;
use super::super::{Device, DeviceError, Elapsed, Loaded};
use super::card::{Card, Opened};
use super::gate::LEAD;
use crate::workload::{Launch, POISON, Plan, Slot, Whole, Workload, bytes};

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
    _scratch: Vec<CudaSlice<u8>>,
}

/// One set of buffers and the launches that work on it.
struct Set {
    inputs: Vec<CudaSlice<u8>>,
    outputs: Vec<CudaSlice<u8>>,
    calls: Vec<Call>,
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
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Self, DeviceError> {
        let opened = card.opened()?;
        let plan = (workload.plan)(dims, card.target());
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
            _scratch: vec![],
        };
        let wanted = footprint(workload, dims, &plan, input_sets);
        for bytes in &plan.scratch {
            case._scratch.push(case.buffer(*bytes, wanted)?);
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
            let mut buffer = self.buffer(input.len() as u64, wanted)?;
            let stream = &self.opened.stream;
            self.card.call("uploading an input", || {
                stream.memset_zeros(&mut buffer)?;
                upload(stream, input, &mut buffer)
            })?;
            uploaded.push(buffer);
        }
        let outputs = output_bytes.iter().map(|bytes| self.buffer(*bytes, wanted));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let calls = plan.launches.iter().zip(functions).map(|(launch, function)| {
            let address = |slot: &Slot| {
                let (whole, offset, _) = slot.stretch();
                let buffer = match whole {
                    Whole::Input(index) => &uploaded[index],
                    Whole::Output(index) => &outputs[index],
                    Whole::Scratch(index) => &self._scratch[index],
                };
                self.address(buffer) + offset
            };
            Call::new(launch, function.clone(), launch.buffers.iter().map(address))
        });
        let calls = calls.collect();
        self.sets.push(Set {
            inputs: uploaded,
            outputs,
            calls,
        });
        Ok(())
    }

    fn buffer(&self, bytes: u64, wanted: u64) -> Result<CudaSlice<u8>, DeviceError> {
        let mut full = None;
        let buffer = self.card.call("allocating device memory", || {
            // SAFETY: inputs are written in full before a launch; outputs are poisoned or written before they are read.
            unsafe { self.opened.stream.alloc::<u8>(padded(bytes) as usize) }.inspect_err(|error| {
                if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                    full = Some(
                        self.opened
                            .context
                            .mem_get_info()
                            .map_or(0, |(free, _)| free as u64),
                    );
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

    fn address(&self, buffer: &CudaSlice<u8>) -> CUdeviceptr {
        buffer.device_ptr(&self.opened.stream).0
    }

    /// The driver loads a kernel at its first launch and may wait for the device then, which must not happen behind
    /// a closed gate. A kernel that faults is found here too.
    fn first_launch(&self) -> Result<(), DeviceError> {
        self.card.call("the first launch", || {
            for call in &self.sets[0].calls {
                call.launch(self.opened)?;
            }
            self.opened.stream.synchronize()
        })
    }
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
    fn new(launch: &Launch, function: CudaFunction, buffers: impl Iterator<Item = CUdeviceptr>) -> Self {
        let words = launch.push.iter().copied().map(u64::from);
        let mut values: Box<[u64]> = buffers.chain(words).collect();
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

/// The padding after the bytes is left as it is.
fn upload(stream: &Arc<CudaStream>, bytes: &[u8], to: &mut CudaSlice<u8>) -> Result<(), DriverError> {
    stream.memcpy_htod(bytes, &mut to.slice_mut(..bytes.len()))
}

impl Loaded for Case<'_> {
    fn timer(&self) -> Timer {
        Timer {
            source: TimerSource::CudaEvent,
            tick_ps: EVENT_TICK_PS,
        }
    }

    fn poison(&mut self) -> Result<(), DeviceError> {
        self.next = 0;
        self.card.call("poisoning outputs", || {
            let stream = &self.opened.stream;
            self.opened.context.bind_to_thread()?;
            for output in self.sets.iter().flat_map(|set| &set.outputs) {
                let words = output.len() / size_of::<u32>();
                // SAFETY: the buffer is a whole number of words and in use on this stream only.
                unsafe { sys::cuMemsetD32Async(self.address(output), POISON, words, stream.cu_stream()) }
                    .result()?;
            }
            stream.synchronize()
        })
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
        if launches == 0 {
            return Ok(Elapsed {
                device_ns: 0,
                host_ns: 0,
            });
        }
        let sets = self.sets.len() as u64;
        let lead = LEAD / self.sets[0].calls.len().max(1) as u64;
        let elapsed = self.card.call("running a batch", || {
            self.opened.time(launches, lead, |launch| {
                let set = (self.next + launch) % sets;
                let calls = &self.sets[set as usize].calls;
                calls.iter().try_for_each(|call| call.launch(self.opened))
            })
        })?;
        self.next += launches;
        Ok(elapsed)
    }

    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
        let outputs = &self.sets[set as usize].outputs;
        self.card.call("reading outputs", || {
            let dense = outputs.iter().zip(&self.output_bytes).map(|(output, bytes)| {
                let mut read = self.opened.stream.clone_dtoh(output)?;
                read.truncate(*bytes);
                Ok(read)
            });
            let dense = dense.collect::<Result<_, DriverError>>()?;
            self.opened.stream.synchronize().map(|()| dense)
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
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let part = self.sets[set as usize].outputs[output].slice(range);
        self.card.call("reading a part of an output", || {
            let read = self.opened.stream.clone_dtoh(&part)?;
            self.opened.stream.synchronize().map(|()| read)
        })
    }

    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.extents.expect_input(input, bytes.len())?;
        let (sets, stream) = (&mut self.sets, &self.opened.stream);
        self.card.call("writing an input", || {
            for set in sets {
                upload(stream, bytes, &mut set.inputs[input])?;
            }
            stream.synchronize()
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
