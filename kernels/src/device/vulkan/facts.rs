//! What a Vulkan driver says about its device.

use attest::statement::{Api, Device as Facts, DeviceKind, Driver};
use vulkano::device::physical::{PhysicalDevice, PhysicalDeviceType, SubgroupFeatures};
use vulkano::memory::MemoryHeapFlags;

use crate::workload::{PACKED_DOT, PACKED_DOT_ACCELERATED, SUBGROUP_BALLOT, SUBGROUP_SIZE};

pub(super) fn describe(index: usize, physical: &PhysicalDevice) -> Facts {
    let properties = physical.properties();
    let kind = kind(properties.device_type);
    let name = match kind {
        DeviceKind::Software => format!("{} (software)", properties.device_name),
        _ => properties.device_name.clone(),
    };
    Facts {
        id: format!("vulkan:{index}"),
        api: Api::Vulkan,
        kind,
        name,
        vendor: vendor(properties.vendor_id),
        driver: driver(physical),
        memory_bytes: memory_bytes(physical),
        compute_units: properties.shader_sm_count,
        cache_bytes: None,
        features: features(physical),
    }
}

/// The device's UUID in the form `nvidia-smi` prints, so that one card seen through two APIs is recognised.
pub(super) fn uuid(physical: &PhysicalDevice) -> String {
    let bytes = physical.properties().device_uuid.unwrap_or_default();
    let digits = hex::encode(bytes);
    let groups = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    groups.join("-")
}

fn kind(device_type: PhysicalDeviceType) -> DeviceKind {
    match device_type {
        PhysicalDeviceType::Cpu => DeviceKind::Software,
        // A device of no stated type is not known to be a GPU, so it is never listed as one.
        PhysicalDeviceType::Other => DeviceKind::Software,
        _ => DeviceKind::Gpu,
    }
}

/// Names of the PCI vendors (and the loader's registered ones) that make compute devices.
fn vendor(id: u32) -> String {
    match id {
        0x1002 => "AMD".to_owned(),
        0x106B => "Apple".to_owned(),
        0x10DE => "NVIDIA".to_owned(),
        0x13B5 => "Arm".to_owned(),
        0x5143 => "Qualcomm".to_owned(),
        0x8086 => "Intel".to_owned(),
        0x10005 => "Mesa".to_owned(),
        other => format!("vendor {other:#06x}"),
    }
}

fn driver(physical: &PhysicalDevice) -> Driver {
    let properties = physical.properties();
    let name = properties
        .driver_name
        .clone()
        .unwrap_or_else(|| "unnamed Vulkan driver".to_owned());
    let version = match &properties.driver_info {
        Some(version) if !version.is_empty() => version.clone(),
        _ => properties.driver_version.to_string(),
    };
    Driver { name, version }
}

/// Size of the largest heap that the driver calls the device's own.
pub(super) fn memory_bytes(physical: &PhysicalDevice) -> u64 {
    physical
        .memory_properties()
        .memory_heaps
        .iter()
        .filter(|heap| heap.flags.intersects(MemoryHeapFlags::DEVICE_LOCAL))
        .map(|heap| heap.size)
        .max()
        .unwrap_or(0)
}

fn features(physical: &PhysicalDevice) -> Vec<String> {
    let features = physical.supported_features();
    let properties = physical.properties();
    let has = |property: Option<bool>| property == Some(true);
    let exchanges = properties.subgroup_supported_operations.unwrap_or_default();
    let named = [
        ("cooperativeMatrix", features.cooperative_matrix),
        (
            "denormFlushToZeroFloat32",
            has(properties.shader_denorm_flush_to_zero_float32),
        ),
        (
            "denormPreserveFloat32",
            has(properties.shader_denorm_preserve_float32),
        ),
        (
            PACKED_DOT_ACCELERATED,
            has(properties.integer_dot_product4x8_bit_packed_signed_accelerated),
        ),
        (
            "roundingModeRteFloat16",
            has(properties.shader_rounding_mode_rte_float16),
        ),
        (
            "roundingModeRteFloat32",
            has(properties.shader_rounding_mode_rte_float32),
        ),
        ("shaderFloat16", features.shader_float16),
        ("shaderInt8", features.shader_int8),
        (PACKED_DOT, features.shader_integer_dot_product),
        (
            "signedZeroInfNanPreserveFloat32",
            has(properties.shader_signed_zero_inf_nan_preserve_float32),
        ),
        ("storageBuffer16BitAccess", features.storage_buffer16_bit_access),
        ("storageBuffer8BitAccess", features.storage_buffer8_bit_access),
        (
            SUBGROUP_BALLOT,
            exchanges.contains(SubgroupFeatures::BASIC | SubgroupFeatures::BALLOT),
        ),
    ];
    let version = physical.api_version();
    let mut list: Vec<String> = named
        .into_iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| name.to_owned())
        .collect();
    list.extend(
        properties
            .subgroup_size
            .map(|size| format!("{SUBGROUP_SIZE}{size}")),
    );
    list.push(format!("vulkan{}.{}", version.major, version.minor));
    list.sort();
    list
}
