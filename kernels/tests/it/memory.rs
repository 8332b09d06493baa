//! What devices say of their memory.

use kernels::device::discover;

#[test]
fn every_device_has_free_memory_and_no_more_than_memory() {
    for device in discover().devices {
        let (free, all) = (device.free_bytes(), device.facts().memory_bytes);
        assert!(
            (1..=all).contains(&free),
            "{}: {free} bytes free of {all}",
            device.facts().id
        );
    }
}
