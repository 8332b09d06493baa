//! All devices of this machine as a request names them, and which of them are proven together.

use attest::digest::Sha256;
use attest::statement::{Api, Device as Facts, DeviceKind, identity};
use kernels::device::Device;

pub(crate) type Devices = Vec<Box<dyn Device>>;

/// Every device that was found, chosen or not.
pub(crate) struct Host {
    pub devices: Vec<Facts>,
    pub identities: Vec<Sha256>,
}

impl Host {
    pub(crate) fn of(devices: &[Box<dyn Device>]) -> Self {
        Self {
            devices: devices.iter().map(|device| device.facts().clone()).collect(),
            identities: devices
                .iter()
                .map(|device| identity(&device.facts().vendor, device.uuid()))
                .collect(),
        }
    }

    /// Index of a device by its id, which is unique.
    pub(crate) fn index(&self, id: &str) -> Option<usize> {
        self.devices.iter().position(|device| device.id == id)
    }

    fn identity(&self, device: &dyn Device) -> Option<Sha256> {
        self.index(&device.facts().id).map(|index| self.identities[index])
    }
}

/// Devices that work at the same time under one nonce: those of one API, without one device under two names. Software
/// devices stand apart, for they share the processor with every other.
pub(crate) fn groups(host: &Host, devices: Devices) -> Vec<Devices> {
    let kind = |device: &dyn Device| {
        let facts = device.facts();
        (facts.api, facts.kind == DeviceKind::Software)
    };
    let mut groups: Vec<Devices> = Vec::new();
    for device in devices {
        let joins = |group: &&mut Devices| {
            kind(&*group[0]) == kind(&*device)
                && !kind(&*device).1
                && group
                    .iter()
                    .all(|other| host.identity(&**other) != host.identity(&*device))
        };
        match groups.iter_mut().find(joins) {
            Some(group) => group.push(device),
            None => groups.push(vec![device]),
        }
    }
    groups
}

/// Whether two of the devices share the processor, so that their attempts must not overlap.
pub(crate) fn share_the_processor<'a>(devices: impl Iterator<Item = &'a Facts>) -> bool {
    devices
        .filter(|device| device.api == Api::Cpu || device.kind == DeviceKind::Software)
        .count()
        > 1
}
