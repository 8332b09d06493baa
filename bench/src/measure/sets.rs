//! How many copies of the inputs a cold measurement rotates over.

use attest::spec::Cache;
use attest::statement::Device;

/// Assumed where the system does not tell: no GPU or CPU in use has a last-level cache much beyond it but for a few
/// server parts, and those say so in sysfs.
const UNKNOWN_CACHE_BYTES: u64 = 128 << 20;

/// Copies may take this share of the device's memory.
const MEMORY_SHARE: u64 = 4;

/// Input sets whose launches together move twice the last-level cache, so that none finds its inputs there.
pub(crate) fn input_sets(cache: Cache, device: &Device, bytes_per_launch: u64) -> u32 {
    if cache == Cache::Hot {
        return 1;
    }
    let bytes = bytes_per_launch.max(1);
    let wanted = (2 * device.cache_bytes.unwrap_or(UNKNOWN_CACHE_BYTES)).div_ceil(bytes);
    let fits = (device.memory_bytes / MEMORY_SHARE / bytes).max(1);
    u32::try_from(wanted.min(fits).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use attest::statement::{Api, DeviceKind, Driver};

    use super::*;

    fn device(cache_bytes: Option<u64>, memory_bytes: u64) -> Device {
        Device {
            id: "cpu:0".into(),
            api: Api::Cpu,
            kind: DeviceKind::Cpu,
            name: String::new(),
            vendor: String::new(),
            driver: Driver {
                name: String::new(),
                version: String::new(),
            },
            memory_bytes,
            compute_units: None,
            cache_bytes,
            features: Vec::new(),
        }
    }

    #[test]
    fn cold_sets_move_twice_the_cache() {
        assert_eq!(
            input_sets(Cache::Cold, &device(Some(32 << 20), 16 << 30), 8 << 20),
            8
        );
        assert_eq!(
            input_sets(Cache::Cold, &device(Some(32 << 20), 16 << 30), 256 << 20),
            1
        );
        assert_eq!(input_sets(Cache::Cold, &device(None, 16 << 30), 32 << 20), 8);
    }

    #[test]
    fn hot_is_one_set_and_memory_is_a_limit() {
        assert_eq!(input_sets(Cache::Hot, &device(Some(32 << 20), 16 << 30), 1), 1);
        assert_eq!(
            input_sets(Cache::Cold, &device(Some(1 << 30), 64 << 20), 4 << 20),
            4
        );
    }
}
