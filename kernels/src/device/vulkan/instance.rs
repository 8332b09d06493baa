//! Finding drivers: the loader, an instance, its physical devices.

use std::sync::Arc;

use vulkano::device::physical::PhysicalDevice;
use vulkano::instance::{Instance, InstanceCreateInfo};
use vulkano::{Validated, VulkanError, VulkanLibrary};

use super::absent;
use crate::device::Absent;

/// All physical devices, in the loader's order.
pub(super) fn open() -> Result<Vec<Arc<PhysicalDevice>>, Absent> {
    let library = VulkanLibrary::new().map_err(|error| {
        absent(
            format!("no Vulkan loader: {error}"),
            "install libvulkan1 (Debian, Ubuntu) or vulkan-loader (Fedora) and a driver",
        )
    })?;
    let wanted = InstanceCreateInfo {
        application_name: Some("hallmark".to_owned()),
        ..InstanceCreateInfo::default()
    };
    let instance = Instance::new(library, wanted).map_err(|error| match error {
        Validated::Error(VulkanError::IncompatibleDriver) => no_driver(),
        error => absent(
            format!("the Vulkan loader makes no instance: {error}"),
            "`vulkaninfo --summary` shows what the loader sees",
        ),
    })?;
    let devices: Vec<_> = instance
        .enumerate_physical_devices()
        .map_err(|error| {
            absent(
                format!("the Vulkan loader lists no devices: {error}"),
                "`vulkaninfo --summary` shows what the loader sees",
            )
        })?
        .collect();
    if devices.is_empty() {
        return Err(no_driver());
    }
    Ok(devices)
}

fn no_driver() -> Absent {
    absent(
        "the Vulkan loader finds no driver".to_owned(),
        "install the GPU's driver, or mesa-vulkan-drivers for a software device; in a container, mount the driver's \
         icd.d/*.json or name it in VK_DRIVER_FILES",
    )
}
