//! A device that runs the CUDA sources, unmodified, on the CPU; see `kernels/shim/cuda_shim.h` for what it notices.
//!
//! Sources are compiled by g++ at first use. Even sets of buffers end at a guarded page and odd ones begin at one;
//! inputs cannot be written. Launches alternate between ascending and descending order of a block's threads.

#![allow(unsafe_code, reason = "calls into a library made from the CUDA sources")]

mod guarded;
pub(crate) mod library;
mod program;
#[cfg(test)]
mod tests;

use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{
    Api, Conditions, Device as Facts, DeviceKind, Driver, Moment, PathClass, Timer, TimerSource,
};
use kernels::device::{Device, DeviceError, Elapsed, Loaded, Running};
use kernels::program::Program;
use kernels::workload::{Launch, POISON, Slot, Target, Whole, Workload, bytes};

use guarded::{Flush, Guarded};
use library::Library;

pub(crate) struct Shim {
    facts: Facts,
    target: Target,
}

impl Shim {
    /// Runs what is made for a compute capability of `capability` tenths.
    pub(crate) fn new(capability: u32) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            facts: Facts {
                id: format!("cuda:shim/sm_{capability}"),
                api: Api::Cuda,
                kind: DeviceKind::Software,
                name: text("CUDA sources on the CPU"),
                vendor: text("Hallmark"),
                driver: Driver {
                    name: text("g++"),
                    version: text("shim"),
                },
                memory_bytes: 1 << 30,
                compute_units: None,
                cache_bytes: None,
                features: vec![],
            },
            target: Target {
                api: Api::Cuda,
                software: false,
                packed_dot: false,
                capability,
            },
        }
    }

    fn library(&self, launch: &Launch) -> Result<Library, DeviceError> {
        let source = format!(
            "{}/src/{}/{}.cu",
            env!("CARGO_MANIFEST_DIR"),
            launch.kernel.folder,
            launch.kernel.name
        );
        Library::of(source.as_ref()).map_err(self.failed("compiling a kernel"))
    }

    fn failed(&self, operation: &'static str) -> impl Fn(String) -> DeviceError {
        move |reason| DeviceError::Driver {
            device: self.facts.id.clone(),
            operation,
            reason,
        }
    }
}

impl Device for Shim {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn uuid(&self) -> &str {
        ""
    }

    fn refusal(&self, workload: &Workload, path: PathClass, dims: &Dims, _: u32) -> Option<String> {
        workload.plan_on(path, dims, self.target).err()
    }

    fn load(
        &self,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Box<dyn Loaded + '_>, DeviceError> {
        let plan = workload
            .plan_on(path, dims, self.target)
            .map_err(self.failed("loading"))?;
        let libraries = plan.launches.iter().map(|launch| self.library(launch));
        let libraries = libraries.collect::<Result<_, _>>()?;
        let sets = (0..input_sets).map(|set| {
            let flush = if set % 2 == 0 { Flush::End } else { Flush::Start };
            let outputs = workload.spec.outputs.iter();
            Set {
                flush,
                inputs: inputs.iter().map(|input| Guarded::input(input, flush)).collect(),
                outputs: outputs
                    .map(|output| Guarded::new(bytes(output, dims) as usize, flush))
                    .collect(),
                scratch: plan
                    .scratch
                    .iter()
                    .map(|bytes| Guarded::new(*bytes as usize, flush))
                    .collect(),
            }
        });
        Ok(Box::new(Case {
            shim: self,
            sets: sets.collect(),
            libraries,
            launches: plan.launches,
        }))
    }

    fn prepare<'a>(&'a self, program: &'a Program) -> Result<Box<dyn Running + 'a>, DeviceError> {
        Ok(Box::new(program::Resident::new(self, program)?))
    }

    fn conditions(&self, moment: Moment) -> Conditions {
        Conditions::untold(moment)
    }

    fn throttled(&self) -> Option<bool> {
        None
    }

    fn energy_millijoules(&self) -> Option<u64> {
        None
    }

    fn free_bytes(&self) -> u64 {
        self.facts.memory_bytes
    }
}

struct Case<'shim> {
    shim: &'shim Shim,
    sets: Vec<Set>,
    libraries: Vec<Library>,
    launches: Vec<Launch>,
}

struct Set {
    flush: Flush,
    inputs: Vec<Guarded>,
    outputs: Vec<Guarded>,
    scratch: Vec<Guarded>,
}

impl Case<'_> {
    fn launch(&self, set: &Set, descending: bool) -> Result<(), String> {
        for (launch, library) in self.launches.iter().zip(&self.libraries) {
            let address = |slot: &Slot| {
                let (whole, offset, _) = slot.stretch();
                let buffer = match whole {
                    Whole::Input(index) => &set.inputs[index],
                    Whole::Output(index) => &set.outputs[index],
                    Whole::Scratch(index) => &set.scratch[index],
                };
                buffer.address() + offset
            };
            let words = launch.push.iter().copied().map(u64::from);
            let arguments: Vec<u64> = launch.buffers.iter().map(address).chain(words).collect();
            let name = launch.kernel.name;
            library.launch(name, launch.grid, launch.block, &arguments, descending)?;
        }
        Ok(())
    }
}

impl Loaded for Case<'_> {
    fn timer(&self) -> Timer {
        Timer {
            source: TimerSource::Monotonic,
            tick_ps: 1000,
        }
    }

    fn poison(&mut self) -> Result<(), DeviceError> {
        for output in self.sets.iter_mut().flat_map(|set| &mut set.outputs) {
            output.fill(POISON);
        }
        Ok(())
    }

    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
        let start = Instant::now();
        for i in 0..launches {
            let set = &self.sets[i as usize % self.sets.len()];
            // Both orders write every set once more than one round is launched.
            let descending = (i as usize / self.sets.len()) % 2 == 1;
            self.launch(set, descending)
                .map_err(self.shim.failed("running a launch"))?;
        }
        let ns = start.elapsed().as_nanos() as u64;
        Ok(Elapsed {
            device_ns: ns,
            host_ns: ns,
        })
    }

    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
        let outputs = self.sets[set as usize].outputs.iter();
        outputs
            .map(|output| output.dense().map_err(self.shim.failed("reading an output")))
            .collect()
    }

    fn read_range(
        &mut self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, DeviceError> {
        let whole = self.sets[set as usize].outputs[output].dense();
        let whole = whole.map_err(self.shim.failed("reading an output"))?;
        Ok(whole[offset as usize..][..len].to_vec())
    }

    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        for set in &mut self.sets {
            set.inputs[input] = Guarded::input(bytes, set.flush);
        }
        Ok(())
    }
}
