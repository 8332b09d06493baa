//! One logical device, its compute queue, and the wait for submitted work.
#![allow(
    unsafe_code,
    reason = "vulkano leaves submission and fences of raw command buffers to the caller"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ash::vk;
use attest::statement::{Timer, TimerSource};
use vulkano::VulkanObject;
use vulkano::command_buffer::CommandBuffer;
use vulkano::command_buffer::allocator::{CommandBufferAllocator, StandardCommandBufferAllocator};
use vulkano::device::physical::PhysicalDevice;
use vulkano::device::{
    Device, DeviceCreateInfo, DeviceExtensions, DeviceFeatures, Queue, QueueCreateInfo, QueueFlags,
};
use vulkano::sync::fence::{Fence, FenceCreateInfo};
use vulkano::{Version, VulkanError};

use super::super::DeviceError;
use super::pipeline::Pipelines;

/// Longest wait for one submission. A batch is sized to take about a second; a driver that is silent for two minutes
/// has hung, and waiting on would hang the program with it.
const WATCHDOG: Duration = Duration::from_secs(120);

pub(super) struct Context {
    /// `vulkan:0`, for messages.
    pub(super) id: String,
    pub(super) device: Arc<Device>,
    pub(super) queue: Arc<Queue>,
    pub(super) commands: Arc<dyn CommandBufferAllocator>,
    pub(super) pipelines: Pipelines,
    /// Low bits of a timestamp that count; `None` when the queue has no timestamps.
    timestamp_bits: Option<u32>,
}

impl Context {
    pub(super) fn new(id: String, physical: Arc<PhysicalDevice>) -> Result<Self, String> {
        let version = physical.api_version();
        if version < Version::V1_1 {
            return Err(format!(
                "offers Vulkan {}.{}, 1.1 is needed",
                version.major, version.minor
            ));
        }
        let family = compute_family(&physical).ok_or("has no queue that computes")?;
        let timestamp_bits = physical.queue_family_properties()[family as usize].timestamp_valid_bits;
        let dot = physical.supported_features().shader_integer_dot_product;
        let wanted = DeviceCreateInfo {
            enabled_features: DeviceFeatures {
                shader_integer_dot_product: dot,
                ..DeviceFeatures::empty()
            },
            enabled_extensions: DeviceExtensions {
                // A part of Vulkan 1.3.
                khr_shader_integer_dot_product: dot && version < Version::V1_3,
                ..DeviceExtensions::empty()
            },
            queue_create_infos: vec![QueueCreateInfo {
                queue_family_index: family,
                ..QueueCreateInfo::default()
            }],
            ..DeviceCreateInfo::default()
        };
        let (device, mut queues) =
            Device::new(physical, wanted).map_err(|error| format!("makes no logical device: {error}"))?;
        let queue = queues.next().ok_or("gave no queue")?;
        let commands = StandardCommandBufferAllocator::new(Arc::clone(&device), Default::default());
        Ok(Self {
            id,
            device,
            queue,
            commands: Arc::new(commands),
            pipelines: Pipelines::default(),
            timestamp_bits,
        })
    }

    pub(super) fn physical(&self) -> &Arc<PhysicalDevice> {
        self.device.physical_device()
    }

    pub(super) fn has_timestamps(&self) -> bool {
        self.timestamp_bits.is_some() && self.physical().properties().timestamp_period > 0.0
    }

    pub(super) fn timer(&self) -> Timer {
        Timer {
            source: TimerSource::VulkanTimestamp,
            tick_ps: (f64::from(self.physical().properties().timestamp_period) * 1000.0).round() as u64,
        }
    }

    /// Nanoseconds between two raw timestamps; the counter may have wrapped once.
    pub(super) fn nanoseconds(&self, from: u64, to: u64) -> u64 {
        let ticks = ticks_between(from, to, self.timestamp_bits.unwrap_or(64));
        (ticks as f64 * f64::from(self.physical().properties().timestamp_period)).round() as u64
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "`map_err` hands errors over by value"
    )]
    pub(super) fn failure(&self, operation: &'static str, reason: impl ToString) -> DeviceError {
        DeviceError::Driver {
            device: self.id.clone(),
            operation,
            reason: reason.to_string(),
        }
    }

    /// Submits the buffers in order and waits for all of them; returns the time by the host's clock.
    ///
    /// After a [`Failure::Hang`] the device may still use everything the buffers refer to.
    pub(super) fn run(&self, buffers: &[CommandBuffer]) -> Result<Duration, Failure> {
        let fence = Fence::new(Arc::clone(&self.device), FenceCreateInfo::default())
            .map_err(|error| self.failure("making a fence", error))?;
        let handles: Vec<vk::CommandBuffer> = buffers.iter().map(VulkanObject::handle).collect();
        let info = vk::SubmitInfo::default().command_buffers(&handles);
        let start = Instant::now();
        // SAFETY: buffers and fence belong to this device and outlive the wait below; the guard excludes other
        // submissions. When the wait fails, the callers leak what the buffers refer to.
        let submitted = self.queue.with(|guard| {
            let submit = self.device.fns().v1_0.queue_submit;
            let result = unsafe { submit(self.queue.handle(), 1, &info, fence.handle()) };
            drop(guard);
            result
        });
        submitted
            .result()
            .map_err(|error| self.failure("submission", VulkanError::from(error)))?;
        match fence.wait(Some(WATCHDOG)) {
            Ok(()) => Ok(start.elapsed()),
            Err(error) => {
                std::mem::forget(fence);
                Err(Failure::Hang(self.hang(error)))
            }
        }
    }

    fn hang(&self, error: VulkanError) -> DeviceError {
        match error {
            VulkanError::Timeout => self.failure(
                "waiting for the device",
                format!(
                    "nothing came back in {} s; the driver hangs or a launch is far too long",
                    WATCHDOG.as_secs()
                ),
            ),
            error => self.failure("waiting for the device", error),
        }
    }
}

/// Why work on the device failed.
pub(super) enum Failure {
    /// Nothing runs any more.
    Clean(DeviceError),
    /// Work was started and its end is unknown: what it uses must never be freed.
    Hang(DeviceError),
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::Clean(error)
    }
}

/// The first queue family that computes and has timestamps, else the first that computes.
fn compute_family(physical: &PhysicalDevice) -> Option<u32> {
    let families = physical.queue_family_properties();
    let computes = |index: &usize| families[*index].queue_flags.intersects(QueueFlags::COMPUTE);
    let timed = |index: &usize| families[*index].timestamp_valid_bits.is_some();
    let found = (0..families.len())
        .filter(computes)
        .find(timed)
        .or_else(|| (0..families.len()).find(computes));
    found.and_then(|index| u32::try_from(index).ok())
}

fn ticks_between(from: u64, to: u64, bits: u32) -> u64 {
    let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    to.wrapping_sub(from) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_wraps_between_two_stamps_loses_nothing() {
        assert_eq!(ticks_between(10, 25, 64), 15);
        assert_eq!(ticks_between(u64::MAX, 4, 64), 5);
        assert_eq!(ticks_between((1 << 36) - 2, 3, 36), 5);
        // Bits above the valid ones are garbage.
        assert_eq!(ticks_between(0xF000_0000_0000_0005, 0x0000_0000_0000_0009, 36), 4);
    }
}
