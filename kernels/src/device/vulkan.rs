//! Vulkan devices, through whatever drivers the loader finds.
//!
//! Nothing is linked: the loader is opened at run time, and its absence is an [`Absent`], not an error. A driver that
//! runs on the processor is [`DeviceKind::Software`](attest::statement::DeviceKind) and says so in its name. One feature is
//! asked for where it is offered, integer dot products, for the shaders that end in `_dot`; all others need none.

mod batch;
mod context;
mod facts;
mod instance;
mod limits;
mod loaded;
mod memory;
mod pipeline;
mod recorder;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use attest::spec::Dims;
use attest::statement::{Api, Conditions, Device as Facts, DeviceKind, Moment, PathClass};

use super::cpu::system::{self, System};
use super::{Absent, Device, DeviceError, Loaded, Running, nvml};
use crate::program::Program;
use crate::workload::{Target, Workload};
use context::Context;
use loaded::{LoadedCase, LoadedProgram};

/// Every usable Vulkan device, and why others are not usable.
pub fn discover() -> (Vec<Box<dyn Device>>, Vec<Absent>) {
    let opened = catch_unwind(instance::open).unwrap_or_else(|panic| {
        Err(absent(
            format!("the Vulkan driver made its caller panic: {}", panic_text(&*panic)),
            "reinstall or update the graphics driver; `vulkaninfo --summary` shows whether it works elsewhere",
        ))
    });
    let physical = match opened {
        Ok(physical) => physical,
        Err(missing) => return (Vec::new(), vec![missing]),
    };
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    let mut missing = Vec::new();
    for physical in physical {
        let name = physical.properties().device_name.clone();
        let index = devices.len();
        let made = catch_unwind(AssertUnwindSafe(|| VulkanDevice::new(index, physical)))
            .unwrap_or_else(|panic| Err(panic_text(&*panic)));
        match made {
            Ok(device) => devices.push(Box::new(device)),
            Err(reason) => missing.push(absent(
                format!("{name}: {reason}"),
                "update the graphics driver; other devices are not affected",
            )),
        }
    }
    (devices, missing)
}

/// One physical device with a queue that computes.
pub struct VulkanDevice {
    facts: Facts,
    uuid: String,
    context: Arc<Context>,
    target: Target,
    /// What a software device runs on: its clocks, power and company are the processor's.
    processor: Option<System>,
}

impl VulkanDevice {
    fn new(index: usize, physical: Arc<vulkano::device::physical::PhysicalDevice>) -> Result<Self, String> {
        let mut facts = facts::describe(index, &physical);
        let uuid = facts::uuid(&physical);
        let context = nvml::opening(&uuid, || Context::new(facts.id.clone(), physical))?;
        let software = facts.kind == DeviceKind::Software;
        let target = Target::of(&facts);
        if software {
            facts.cache_bytes = system::facts().cache_bytes;
        }
        Ok(Self {
            facts,
            uuid,
            context: Arc::new(context),
            target,
            processor: software.then(System::new),
        })
    }
}

impl Device for VulkanDevice {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn refusal(&self, workload: &Workload, path: PathClass, dims: &Dims, input_sets: u32) -> Option<String> {
        limits::refusal(&self.context, self.target, workload, path, dims, input_sets)
    }

    fn load(
        &self,
        workload: &Workload,
        path: PathClass,
        dims: &Dims,
        inputs: &[Vec<u8>],
        input_sets: u32,
    ) -> Result<Box<dyn Loaded + '_>, DeviceError> {
        if let Some(reason) = self.refusal(workload, path, dims, input_sets) {
            return Err(self.context.failure("loading", reason));
        }
        let plan = workload.plan_on(path, dims, self.target);
        let plan = plan.map_err(|reason| self.context.failure("loading", reason))?;
        let load = || {
            LoadedCase::new(
                Arc::clone(&self.context),
                workload,
                &plan,
                dims,
                inputs,
                input_sets,
            )
        };
        match catch_unwind(AssertUnwindSafe(load)) {
            Ok(loaded) => Ok(Box::new(loaded?)),
            Err(panic) => Err(self.context.failure("loading", panic_text(&*panic))),
        }
    }

    fn prepare<'a>(&'a self, program: &'a Program) -> Result<Box<dyn Running + 'a>, DeviceError> {
        let load = || LoadedProgram::new(Arc::clone(&self.context), self.target, program);
        match catch_unwind(AssertUnwindSafe(load)) {
            Ok(loaded) => Ok(Box::new(loaded?)),
            Err(panic) => Err(self.context.failure("loading", panic_text(&*panic))),
        }
    }

    fn conditions(&self, moment: Moment) -> Conditions {
        match &self.processor {
            Some(processor) => processor.conditions(moment),
            None => nvml::conditions_for(&self.uuid, moment).unwrap_or_else(|| Conditions::untold(moment)),
        }
    }

    fn throttled(&self) -> Option<bool> {
        match &self.processor {
            Some(processor) => processor.throttled(),
            None => nvml::throttled_for(&self.uuid),
        }
    }

    fn energy_millijoules(&self) -> Option<u64> {
        match &self.processor {
            Some(processor) => processor.energy_millijoules(),
            None => nvml::energy_millijoules_for(&self.uuid),
        }
    }

    fn free_bytes(&self) -> u64 {
        let heap = limits::free_bytes(&self.context);
        match &self.processor {
            Some(_) => heap.min(system::available_bytes().unwrap_or(0)),
            None => heap,
        }
    }
}

fn absent(reason: String, hint: &str) -> Absent {
    Absent {
        api: Api::Vulkan,
        reason,
        hint: hint.to_owned(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panic without a message".to_owned())
}
