//! One CUDA device.

#![allow(
    unsafe_code,
    reason = "the bindings mark the choice of synchronization unsafe"
)]

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use attest::spec::Dims;
use attest::statement::{Conditions, Device as Facts, Moment, PathClass};
use cudarc::driver::sys::CUevent_flags;
use cudarc::driver::{CudaContext, CudaEvent, CudaFunction, CudaStream, DriverError};
use cudarc::nvrtc::Ptx;

use super::super::{Device, DeviceError, Elapsed, Loaded, Running, nvml};
use super::gate::Gate;
use super::loaded::{Case, LoadedProgram, footprint};
use super::probe::guarded;
use super::vendor;
use crate::program::Program;
use crate::workload::{Kernel, Plan, Target, Workload, dim};

/// Device memory left to the driver, at most an eighth of it: contexts, code, and the display of a desktop card.
const RESERVED_BYTES: u64 = 512 << 20;

/// Blocks of a grid in its second and third direction, on every architecture; the first takes 2^31-1.
const MAX_GRID_YZ: u32 = 65_535;

pub(super) struct Card {
    facts: Facts,
    uuid: String,
    ordinal: usize,
    opened: OnceCell<Opened>,
}

/// The context of a card, made at its first case: it takes a fraction of a second and device memory.
pub(super) struct Opened {
    pub(super) context: Arc<CudaContext>,
    pub(super) stream: Arc<CudaStream>,
    start: CudaEvent,
    stop: CudaEvent,
    gate: Gate,
    functions: RefCell<BTreeMap<&'static str, CudaFunction>>,
}

impl Card {
    pub(super) fn new(facts: Facts, uuid: String, ordinal: usize) -> Self {
        Self {
            facts,
            uuid,
            ordinal,
            opened: OnceCell::new(),
        }
    }

    pub(super) fn ordinal(&self) -> usize {
        self.ordinal
    }

    pub(super) fn target(&self) -> Target {
        Target::of(&self.facts)
    }

    pub(super) fn opened(&self) -> Result<&Opened, DeviceError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = self.call("opening the device", || {
            nvml::opening(&self.uuid, || Opened::new(self.ordinal))
        })?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// What of the card's memory cases may take when nothing else is on it.
    pub(super) fn usable_bytes(&self) -> u64 {
        let memory = self.facts.memory_bytes;
        memory - RESERVED_BYTES.min(memory / 8)
    }

    /// Runs driver calls of one operation; whatever goes wrong names the operation.
    pub(super) fn call<T, E: Display>(
        &self,
        operation: &'static str,
        calls: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, DeviceError> {
        let outcome = guarded(|| calls().map_err(|error| error.to_string()));
        outcome
            .and_then(|done| done)
            .map_err(|reason| self.failed(operation, reason))
    }

    pub(super) fn failed(&self, operation: &'static str, reason: String) -> DeviceError {
        DeviceError::Driver {
            device: self.facts.id.clone(),
            operation,
            reason,
        }
    }

    /// Launches of one run, none where the vendor's library makes them; or why there are none.
    pub(super) fn plan(&self, workload: &Workload, path: PathClass, dims: &Dims) -> Result<Plan, String> {
        let target = self.target();
        match path {
            PathClass::Vendor => vendor::plan(workload.spec, dims, target, self.facts.memory_bytes),
            PathClass::Portable | PathClass::Tuned => workload.plan_on(path, dims, target),
        }
    }

    /// The kernel's entry point, compiled by the driver at first use.
    pub(super) fn function(&self, kernel: &'static Kernel) -> Result<CudaFunction, DeviceError> {
        let opened = self.opened()?;
        if let Some(function) = opened.functions.borrow().get(kernel.name) {
            return Ok(function.clone());
        }
        let ptx = kernel.ptx.ok_or_else(|| DeviceError::NoCode {
            device: self.facts.id.clone(),
            api: "CUDA",
            kernel: kernel.name,
        })?;
        let function = self.call("compiling a kernel", || opened.compile(ptx, kernel.name))?;
        opened
            .functions
            .borrow_mut()
            .insert(kernel.name, function.clone());
        Ok(function)
    }
}

impl Opened {
    fn new(ordinal: usize) -> Result<Self, DriverError> {
        let context = CudaContext::new(ordinal)?;
        // SAFETY: all work goes to one stream, in order; nothing is shared with another.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream()?;
        // The bindings' own default creates events that cannot be timed.
        let event = || context.new_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
        Ok(Self {
            start: event()?,
            stop: event()?,
            gate: Gate::new(&context)?,
            functions: RefCell::default(),
            stream,
            context,
        })
    }

    /// Queues `launches` behind the closed gate, the first `lead` of them before it opens, and times them all.
    pub(super) fn time<E: From<DriverError>>(
        &self,
        launches: u64,
        lead: u64,
        mut launch: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Elapsed, E> {
        let lead = lead.clamp(1, launches);
        self.context.bind_to_thread()?;
        self.gate.close(&self.stream)?;
        self.start.record(&self.stream)?;
        let mut began = Instant::now();
        for index in 0..launches {
            launch(index)?;
            if index + 1 == launches {
                self.stop.record(&self.stream)?;
            }
            if index + 1 == lead {
                began = Instant::now();
                self.gate.open();
            }
        }
        self.stop.synchronize()?;
        let host_ns = began.elapsed().as_nanos() as u64;
        let device_ms = self.start.elapsed_ms(&self.stop)?;
        Ok(Elapsed {
            device_ns: (f64::from(device_ms) * 1e6).round() as u64,
            host_ns,
        })
    }

    fn compile(&self, ptx: &str, entry: &str) -> Result<CudaFunction, DriverError> {
        self.context.load_module(Ptx::from_src(ptx))?.load_function(entry)
    }
}

impl Device for Card {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn refusal(&self, workload: &Workload, path: PathClass, dims: &Dims, input_sets: u32) -> Option<String> {
        if let Some(reason) = workload.limits.and_then(|limits| limits(dims)) {
            return Some(reason);
        }
        let plan = match self.plan(workload, path, dims) {
            Ok(plan) => plan,
            Err(reason) => return Some(reason),
        };
        if let Some(launch) = plan.launches.iter().find(|launch| launch.kernel.ptx.is_none()) {
            return Some(format!("kernel {} has no CUDA code", launch.kernel.name));
        }
        // Sizes that no tensor has are the workload's own to limit.
        let tensors = workload.spec.inputs.iter().chain(&workload.spec.outputs);
        let sizes = tensors
            .flat_map(|tensor| &tensor.shape)
            .map(|name| (name, dim(dims, name)));
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| u32::try_from(*size).is_err()) {
            return Some(format!(
                "dimension {name} of {size} is past the 2^32-1 that kernels count to"
            ));
        }
        if let Some(launch) = plan
            .launches
            .iter()
            .find(|launch| launch.grid[1].max(launch.grid[2]) > MAX_GRID_YZ)
        {
            let [_, y, z] = launch.grid;
            return Some(format!(
                "a grid of {y} by {z} blocks is past the {MAX_GRID_YZ} CUDA takes"
            ));
        }
        let wanted = footprint(workload, dims, &plan, input_sets);
        let limit = self.usable_bytes();
        (wanted > limit)
            .then(|| format!("the case needs {wanted} bytes of device memory, {limit} are usable"))
    }

    fn load(
        &self,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Box<dyn Loaded + '_>, DeviceError> {
        let case = Case::load(self, workload, path, dims, inputs, input_sets)?;
        Ok(Box::new(case))
    }

    fn prepare<'a>(&'a self, program: &'a Program) -> Result<Box<dyn Running + 'a>, DeviceError> {
        Ok(Box::new(LoadedProgram::new(self, program)?))
    }

    fn conditions(&self, moment: Moment) -> Conditions {
        nvml::conditions_for(&self.uuid, moment).unwrap_or_else(|| Conditions::untold(moment))
    }

    fn throttled(&self) -> Option<bool> {
        nvml::throttled_for(&self.uuid)
    }

    fn energy_millijoules(&self) -> Option<u64> {
        nvml::energy_millijoules_for(&self.uuid)
    }

    fn free_bytes(&self) -> u64 {
        let told = self
            .opened()
            .and_then(|opened| self.call("asking for free memory", || opened.context.mem_get_info()));
        let free = told.map_or(self.facts.memory_bytes, |(free, _)| free as u64);
        free.min(self.usable_bytes())
    }
}
