//! What a device cannot run, and the numbers that say so.
#![allow(unsafe_code, reason = "vulkano has no call for the memory budget")]

use ash::vk;
use attest::spec::{Dims, Tensor};
use attest::statement::PathClass;
use vulkano::VulkanObject;
use vulkano::memory::MemoryHeapFlags;

use super::context::Context;
use super::facts;
use super::memory::{STAGING_BYTES, padded};
use crate::program::{Phases, Program};
use crate::workload::{Launch, Plan, Target, Workload};

/// Why the device cannot run the case.
pub(super) fn refusal(
    context: &Context,
    target: Target,
    workload: &Workload,
    path: PathClass,
    dims: &Dims,
    input_sets: u32,
) -> Option<String> {
    if !context.has_timestamps() {
        return Some(
            "the compute queue has no timestamps (timestampValidBits is 0), so nothing can be timed"
                .to_owned(),
        );
    }
    if let Some(reason) = workload.limits.and_then(|limits| limits(dims)) {
        return Some(reason);
    }
    let bytes = match tensors(workload, dims) {
        Ok(bytes) => bytes,
        Err(reason) => return Some(reason),
    };
    let plan = match workload.plan_on(path, dims, target) {
        Ok(plan) => plan,
        Err(reason) => return Some(reason),
    };
    tensor_refusal(context, &bytes, &plan)
        .or_else(|| memory_refusal(context, &bytes, &plan, input_sets))
        .or_else(|| {
            plan.launches
                .iter()
                .find_map(|launch| launch_refusal(context, launch))
        })
}

/// Why the device cannot run a program.
pub(super) fn program_refusal(context: &Context, program: &Program, phases: &Phases) -> Option<String> {
    let buffers = [&program.inputs[..], &program.outputs, &phases.scratch].concat();
    let launches = phases.launches.iter().flatten();
    let wanted = program.footprint(phases, padded(1)).saturating_add(STAGING_BYTES);
    let free = free_bytes(context);
    let memory =
        || (wanted > free).then(|| format!("{wanted} bytes wanted, the memory heap has {free} free"));
    largest_refusal(context, &buffers).or_else(memory).or_else(|| {
        launches
            .into_iter()
            .find_map(|launch| launch_refusal(context, launch))
    })
}

/// Bytes of each input and then of each output.
pub(super) fn tensors(workload: &Workload, dims: &Dims) -> Result<Vec<u64>, String> {
    workload
        .spec
        .inputs
        .iter()
        .chain(&workload.spec.outputs)
        .map(|tensor| tensor_bytes(tensor, dims))
        .collect()
}

pub(super) fn tensor_bytes(tensor: &Tensor, dims: &Dims) -> Result<u64, String> {
    let exceeded = || format!("tensor {} exceeds 2^64-1 bits", tensor.name);
    let elements = tensor.shape.iter().try_fold(1u64, |elements, name| {
        let size = dims
            .get(name)
            .ok_or_else(|| format!("the case gives no size for dimension {name}"))?;
        elements.checked_mul(*size).ok_or_else(exceeded)
    })?;
    tensor.dtype.bytes(elements).ok_or_else(exceeded)
}

pub(super) fn push_bytes(launch: &Launch) -> u32 {
    size_of_val(launch.push.as_slice()) as u32
}

fn tensor_refusal(context: &Context, bytes: &[u64], plan: &Plan) -> Option<String> {
    largest_refusal(context, &[bytes, &plan.scratch].concat())
}

fn largest_refusal(context: &Context, bytes: &[u64]) -> Option<String> {
    let properties = context.physical().properties();
    let range = u64::from(properties.max_storage_buffer_range);
    let allocation = properties.max_memory_allocation_size.unwrap_or(u64::MAX);
    let largest = bytes.iter().copied().map(padded).max().unwrap_or(0);
    if largest > range {
        return Some(format!(
            "a tensor of {largest} bytes exceeds the device's maxStorageBufferRange of {range} bytes"
        ));
    }
    (largest > allocation).then(|| {
        format!(
            "a tensor of {largest} bytes exceeds the device's maxMemoryAllocationSize of {allocation} bytes"
        )
    })
}

fn memory_refusal(context: &Context, bytes: &[u64], plan: &Plan, input_sets: u32) -> Option<String> {
    let one_set = bytes
        .iter()
        .fold(0u64, |sum, bytes| sum.saturating_add(padded(*bytes)));
    let scratch: u64 = plan.scratch.iter().map(|bytes| padded(*bytes)).sum();
    let wanted = one_set
        .saturating_mul(u64::from(input_sets))
        .saturating_add(scratch)
        .saturating_add(STAGING_BYTES);
    let free = free_bytes(context);
    (wanted > free).then(|| {
        format!(
            "{input_sets} sets of {one_set} bytes, scratch and staging need {wanted} bytes, the memory heap has {free} \
             free"
        )
    })
}

fn launch_refusal(context: &Context, launch: &Launch) -> Option<String> {
    let properties = context.physical().properties();
    let kernel = launch.kernel.name;
    let push = push_bytes(launch);
    if push > properties.max_push_constants_size {
        let limit = properties.max_push_constants_size;
        return Some(format!(
            "{kernel} passes {push} bytes of push constants, maxPushConstantsSize is {limit}"
        ));
    }
    let threads: u64 = launch.block.iter().map(|size| u64::from(*size)).product();
    let limit = properties.max_compute_work_group_invocations;
    if threads > u64::from(limit) {
        return Some(format!(
            "{kernel} runs {threads} invocations per workgroup, maxComputeWorkGroupInvocations is {limit}"
        ));
    }
    let limits = properties.max_compute_work_group_count;
    (0..3)
        .find(|axis| launch.grid[*axis] > limits[*axis])
        .map(|axis| {
            format!(
                "{kernel} needs {} workgroups along axis {axis}, maxComputeWorkGroupCount is {}",
                launch.grid[axis], limits[axis]
            )
        })
}

/// Bytes that can still be allocated on the device's own heap: the driver's budget less what this process uses where
/// `VK_EXT_memory_budget` tells, else the size of the heap.
pub(super) fn free_bytes(context: &Context) -> u64 {
    let physical = context.physical();
    if !physical.supported_extensions().ext_memory_budget {
        return facts::memory_bytes(physical);
    }
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
    let functions = physical.instance().fns();
    // SAFETY: the physical device is alive, offers Vulkan 1.1 (`Context::new`) and the extension whose structure is
    // chained.
    unsafe {
        (functions.v1_1.get_physical_device_memory_properties2)(physical.handle(), &mut properties);
    }
    let heaps = &physical.memory_properties().memory_heaps;
    let own = (0..heaps.len()).filter(|index| heaps[*index].flags.intersects(MemoryHeapFlags::DEVICE_LOCAL));
    own.map(|index| budget.heap_budget[index].saturating_sub(budget.heap_usage[index]))
        .max()
        .unwrap_or(0)
}
