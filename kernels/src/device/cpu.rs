//! The processor, driven through rayon.

mod program;
pub(super) mod system;

use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{Conditions, Device as Facts, Moment, PathClass, Timer, TimerSource};

use super::extents::Extents;
use super::{Device, DeviceError, Elapsed, Loaded, Running};
use crate::aligned::Buffer;
use crate::program::Program;
use crate::workload::{CPU, CpuKernel, POISON, Workload, bytes};
use system::System;

/// Every logical core of this machine as one device.
pub(super) struct Cpu {
    facts: Facts,
    uuid: String,
    system: System,
    tick_ps: u64,
    pool: rayon::ThreadPool,
}

impl Cpu {
    pub(super) fn discover() -> Self {
        Self {
            facts: system::facts(),
            uuid: system::uuid(),
            system: System::new(),
            tick_ps: clock_tick_ps(),
            pool: rayon::ThreadPoolBuilder::new()
                .thread_name(|index| format!("cpu:0/{index}"))
                .build()
                .expect("the system gives threads"),
        }
    }
}

/// Smallest step seen between two readings of the monotonic clock, in picoseconds.
fn clock_tick_ps() -> u64 {
    const READINGS: usize = 4096;
    let start = Instant::now();
    let readings: Vec<u128> = (0..READINGS).map(|_| start.elapsed().as_nanos()).collect();
    let steps = readings.windows(2).map(|pair| pair[1] - pair[0]);
    let smallest = steps.filter(|&step| step > 0).min().unwrap_or(1);
    u64::try_from(smallest * 1000).unwrap_or(u64::MAX)
}

fn no_path(path: PathClass) -> Option<String> {
    match path {
        PathClass::Portable => None,
        PathClass::Tuned => Some("a processor has no tuned path".to_owned()),
        PathClass::Vendor => {
            Some("the vendor path is cuBLASLt on CUDA devices; this is a processor".to_owned())
        }
    }
}

impl Device for Cpu {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn refusal(&self, workload: &Workload, path: PathClass, dims: &Dims, input_sets: u32) -> Option<String> {
        if let Some(reason) = no_path(path) {
            return Some(reason);
        }
        if workload.kind.copies() {
            return Some("a processor works in the host's own memory: nothing is transferred".to_owned());
        }
        if let Some(reason) = workload.limits.and_then(|limits| limits(dims)) {
            return Some(reason);
        }
        let tensors = workload.spec.inputs.iter().chain(&workload.spec.outputs);
        let set: u64 = tensors.map(|tensor| bytes(tensor, dims)).sum();
        let scratch = (workload.plan)(dims, CPU).scratch.into_iter();
        let scratch = scratch.fold(0u64, u64::saturating_add);
        let wanted = set.saturating_mul(u64::from(input_sets)).saturating_add(scratch);
        // A fifth stays free: the inputs and outputs also exist outside the device while they are checked.
        let limit = system::available_bytes()? / 5 * 4;
        (wanted > limit).then(|| {
            format!("{wanted} bytes wanted, {limit} bytes of memory free for it; close other programs")
        })
    }

    fn load(
        &self,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Box<dyn Loaded + '_>, DeviceError> {
        if let Some(reason) = no_path(path) {
            return Err(DeviceError::Driver {
                device: self.facts.id.clone(),
                operation: "loading",
                reason,
            });
        }
        let set = || -> Result<Set, DeviceError> {
            let outputs = workload.spec.outputs.iter();
            Ok(Set {
                inputs: inputs
                    .iter()
                    .map(|bytes| self.buffer(bytes.len()).map(|buffer| buffer.filled(bytes)))
                    .collect::<Result<_, _>>()?,
                outputs: outputs
                    .map(|tensor| self.buffer(bytes(tensor, dims) as usize))
                    .collect::<Result<_, _>>()?,
            })
        };
        Ok(Box::new(Resident {
            cpu: self,
            run: workload.cpu,
            dims: dims.clone(),
            extents: Extents::new(&self.facts.id, workload, dims, inputs, input_sets),
            sets: (0..input_sets.max(1)).map(|_| set()).collect::<Result<_, _>>()?,
            scratch: (workload.plan)(dims, CPU)
                .scratch
                .into_iter()
                .map(|bytes| self.buffer(bytes as usize))
                .collect::<Result<_, _>>()?,
            next: 0,
        }))
    }

    fn prepare<'a>(&'a self, program: &'a Program) -> Result<Box<dyn Running + 'a>, DeviceError> {
        Ok(Box::new(program::Resident::new(self, program)?))
    }

    fn conditions(&self, moment: Moment) -> Conditions {
        self.system.conditions(moment)
    }

    fn throttled(&self) -> Option<bool> {
        self.system.throttled()
    }

    fn energy_millijoules(&self) -> Option<u64> {
        self.system.energy_millijoules()
    }

    fn free_bytes(&self) -> u64 {
        system::available_bytes().unwrap_or(0)
    }
}

impl Cpu {
    fn buffer(&self, bytes: usize) -> Result<Buffer, DeviceError> {
        Buffer::new(bytes).ok_or_else(|| DeviceError::OutOfMemory {
            device: self.facts.id.clone(),
            wanted: bytes as u64,
            limit: system::available_bytes().unwrap_or(0),
        })
    }
}

/// A case in memory.
struct Resident<'a> {
    cpu: &'a Cpu,
    run: CpuKernel,
    dims: Dims,
    extents: Extents,
    sets: Vec<Set>,
    scratch: Vec<Buffer>,
    /// Set of the next launch.
    next: usize,
}

struct Set {
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Set {
    fn launch(&mut self, dims: &Dims, run: CpuKernel, scratch: &mut [Buffer]) {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Buffer::bytes).collect();
        let outputs = self.outputs.iter_mut().chain(scratch);
        let mut outputs: Vec<&mut [u8]> = outputs.map(Buffer::bytes_mut).collect();
        run(dims, &inputs, &mut outputs);
    }
}

impl Loaded for Resident<'_> {
    fn timer(&self) -> Timer {
        Timer {
            source: TimerSource::Monotonic,
            tick_ps: self.cpu.tick_ps,
        }
    }

    fn poison(&mut self) -> Result<(), DeviceError> {
        for output in self.sets.iter_mut().flat_map(|set| &mut set.outputs) {
            output.words_mut().fill(POISON);
        }
        self.next = 0;
        Ok(())
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
        let (sets, scratch, next) = (&mut self.sets, &mut self.scratch, &mut self.next);
        let (dims, run) = (&self.dims, self.run);
        // The host's clock is the only one, read in the pool: waking it up is no work of the launches.
        Ok(self.cpu.pool.install(|| {
            let began = Instant::now();
            for _ in 0..launches {
                sets[*next].launch(dims, run, scratch);
                *next = (*next + 1) % sets.len();
            }
            Elapsed::by_host(began)
        }))
    }

    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
        let outputs = self.sets[set as usize].outputs.iter();
        Ok(outputs.map(|buffer| buffer.bytes().to_vec()).collect())
    }

    fn read_range(
        &mut self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, DeviceError> {
        let range = self.extents.range(output, set, offset, len)?;
        Ok(self.sets[set as usize].outputs[output].bytes()[range].to_vec())
    }

    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.extents.expect_input(input, bytes.len())?;
        for set in &mut self.sets {
            set.inputs[input].bytes_mut().copy_from_slice(bytes);
        }
        Ok(())
    }
}
