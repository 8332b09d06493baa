//! What every device offers: facts about itself, and loaded cases that can be launched, timed and read back.

mod cpu;
pub mod cuda;
mod extents;
pub mod nvml;
pub mod vulkan;

pub use cuda::peers;

use std::ops::Range;
use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{Conditions, Device as Facts, Library, Moment, PathClass, Timer, TimerSource};

use crate::program::Program;
use crate::workload::Workload;

/// What this machine offers: the CPU first, then Vulkan and CUDA devices in their drivers' order.
pub struct Discovery {
    pub devices: Vec<Box<dyn Device>>,
    pub absent: Vec<Absent>,
}

/// Looks for every device. A missing driver is an [`Absent`], not an error.
pub fn discover() -> Discovery {
    let mut devices: Vec<Box<dyn Device>> = vec![Box::new(cpu::Cpu::discover())];
    let mut absent = Vec::new();
    for (found, missing) in [vulkan::discover(), cuda::discover()] {
        devices.extend(found);
        absent.extend(missing);
    }
    Discovery { devices, absent }
}

/// A device that can run workloads.
pub trait Device: Send {
    /// The description that goes into the statement.
    fn facts(&self) -> &Facts;

    /// UUID or serial that identifies the device to its renter; never logged in the clear.
    fn uuid(&self) -> &str;

    /// Why the device cannot run the case on that path, if it cannot: a missing feature, too little memory, a buffer limit.
    fn refusal(&self, workload: &Workload, path: PathClass, dims: &Dims, input_sets: u32) -> Option<String>;

    /// Uploads `inputs` (in the specification's order) `input_sets` times, makes pipelines, allocates outputs.
    fn load(
        &self,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Box<dyn Loaded + '_>, DeviceError>;

    /// Memory for a program, cleared, and its launches made ready. Inputs are to be written.
    fn prepare<'a>(&'a self, program: &'a Program) -> Result<Box<dyn Running + 'a>, DeviceError>;

    /// Clock, power, temperature, throttling and company, as far as the system tells.
    fn conditions(&self, moment: Moment) -> Conditions;

    /// Whether something faulty slowed the device since this was last asked, or now where the system tells no more; cheap
    /// enough to be asked after each sample.
    fn throttled(&self) -> Option<bool>;

    /// Energy the device has used since an arbitrary start, in millijoules, where a counter exists.
    fn energy_millijoules(&self) -> Option<u64>;

    /// Memory that cases may be given now, in bytes, as far as the system or the driver tells.
    fn free_bytes(&self) -> u64;
}

/// A case that is ready to launch. Launch i since the last poison uses input and output set i modulo the number of sets,
/// so a single launch at a time also finds its inputs cold.
pub trait Loaded {
    fn timer(&self) -> Timer;

    /// The vendor's library that runs it, and which of its algorithms.
    fn library(&self) -> Option<Library> {
        None
    }

    /// Fills every output set with [`POISON`](crate::workload::POISON).
    fn poison(&mut self) -> Result<(), DeviceError>;

    /// Runs `launches` launches back to back, the queue kept full, and times them by both clocks.
    fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError>;

    /// The outputs of one set, in the specification's order.
    fn read(&mut self, set: u32) -> Result<Vec<Vec<u8>>, DeviceError>;

    /// `len` bytes from `offset` of one output of one set; the rest of it is not read.
    fn read_range(
        &mut self,
        output: usize,
        set: u32,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, DeviceError>;

    /// Gives an input new contents, as long as the old, in every set: a new seed for what is loaded.
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError>;
}

/// A program in a device's memory.
pub trait Running {
    /// Gives an input its contents, all of them.
    fn write(&mut self, input: usize, bytes: &[u8]) -> Result<(), DeviceError>;

    /// Runs a phase once and waits for it.
    fn run(&mut self, phase: usize) -> Result<Elapsed, DeviceError>;

    /// Some bytes of an output.
    fn read(&mut self, output: usize, range: Range<usize>) -> Result<Vec<u8>, DeviceError>;
}

/// One batch by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    pub device_ns: u64,
    /// Submission and wait included.
    pub host_ns: u64,
}

impl Elapsed {
    /// What only the host's clock times.
    fn by_host(since: Instant) -> Self {
        let ns = u64::try_from(since.elapsed().as_nanos()).expect("under 500 years");
        Self {
            device_ns: ns,
            host_ns: ns,
        }
    }
}

/// The host's monotonic clock, where no clock of a device is asked.
fn host_timer() -> Timer {
    /// Of `clock_gettime` on Linux.
    const TICK_PS: u64 = 1000;
    Timer {
        source: TimerSource::Monotonic,
        tick_ps: TICK_PS,
    }
}

/// A device that was found but cannot be used, or an API that is absent, with the reason and what to do about it.
#[derive(Clone, Debug)]
pub struct Absent {
    pub api: attest::statement::Api,
    pub reason: String,
    pub hint: String,
}

#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("{device}: out of memory: {wanted} bytes wanted, {limit} bytes allowed")]
    OutOfMemory { device: String, wanted: u64, limit: u64 },
    #[error("{device}: {operation} failed: {reason}")]
    Driver {
        device: String,
        operation: &'static str,
        reason: String,
    },
    #[error("{device}: no {api} code for kernel {kernel}")]
    NoCode {
        device: String,
        api: &'static str,
        kernel: &'static str,
    },
    /// Found only by asking a library for it.
    #[error("{device}: {reason}")]
    Unsupported { device: String, reason: String },
    /// A tensor, a set or bytes that the loaded case does not have.
    #[error("{device}: {reason}")]
    Outside { device: String, reason: String },
}
